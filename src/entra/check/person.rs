//! What the sign-in of a person tells about a provider.

use super::permissions;
use crate::entra::signed_in::SignedIn;
use crate::model::check::{Check, CheckState, Step};
use crate::model::identity::Groups;
use crate::model::idp::EntraSettings;

/// What a sign-in tells that passed every check.
pub fn of_person(settings: &EntraSettings, signed_in: &SignedIn) -> Vec<Check> {
    let mut lines = vec![
        signed_in_as(signed_in),
        Check::new(
            Step::IdToken,
            CheckState::Good,
            "signature, issuer, audience, directory, times and nonce are as they should be",
        ),
        email(settings, signed_in),
        groups(signed_in),
    ];
    lines.extend(settings.claims.iter().map(|name| claim(name, signed_in)));
    lines.extend(contexts(signed_in));
    lines.extend(permissions::of_sign_in(settings, signed_in));
    lines
}

fn signed_in_as(signed_in: &SignedIn) -> Check {
    let kind = if signed_in.guest { "a guest" } else { "a member" };
    let name = signed_in.name.as_deref().unwrap_or("somebody without a name");
    let found = format!("{name} signed in, {kind} of the directory");
    let object = format!("Object ID: {}", signed_in.person.object);
    Check::new(Step::SignIn, CheckState::Good, found).details([object])
}

fn email(settings: &EntraSettings, signed_in: &SignedIn) -> Check {
    let steps = signed_in.email_steps.iter().cloned();
    let Some(email) = &signed_in.email else {
        return Check::new(
            Step::Email,
            CheckState::Bad,
            "this account has no e-mail address that could be used: rules about addresses never match it",
        )
        .mend(
            "Token configuration: add the optional claims email and upn to the ID token. Or give the account an \
             address, or name the claim that holds it in email_claim_name.",
        )
        .details(steps);
    };
    // The last step is the one that found it.
    let source = signed_in
        .email_steps
        .last()
        .and_then(|step| step.split(':').next());
    let source = source.unwrap_or_default();
    let found = format!("{}, from {source}", email.address);
    let check = |state| Check::new(Step::Email, state, found.clone()).details(steps.clone());
    if !email.trusted {
        return check(CheckState::Warning).mend(
            "Rules about addresses do not rely on this guest's. Add the optional claim xms_edov or \
             verified_primary_email, or set trust_guest_email = true if every guest's address may be believed.",
        );
    }
    match &settings.email_claim_name {
        Some(name) if name != source => check(CheckState::Warning).mend(format!(
            "email_claim_name is {name}, which was not there or holds no address: add it to the optional claims of \
             the ID token, or leave email_claim_name out."
        )),
        _ => check(CheckState::Good),
    }
}

fn groups(signed_in: &SignedIn) -> Check {
    let check = |state, found: String| Check::new(Step::Groups, state, found);
    match &signed_in.groups {
        Groups::NotAsked => check(
            CheckState::Off,
            "not asked for: support_groups is off, and rules about groups match nobody".to_owned(),
        ),
        Groups::Known { groups } => {
            let found = format!("read to the end, nested ones included: {}", groups.len());
            let nameless = groups.iter().filter(|group| group.name.is_none()).count();
            if nameless == 0 {
                return check(CheckState::Good, found);
            }
            check(CheckState::Warning, format!("{found}; without a name: {nameless}")).mend(
                "Grant admin consent for GroupMember.Read.All: without it Graph tells object ids and no names. Rules by \
                 object id work all the same.",
            )
        }
        Groups::Unknown { partial, reason } => {
            let found = format!(
                "not read to the end: {reason}. Read before that: {}",
                partial.len()
            );
            let guest = if signed_in.guest {
                " Guests may be kept from reading their groups: External collaboration settings, guest user access."
            } else {
                ""
            };
            check(CheckState::Bad, found).mend(format!(
                "As long as this stays, rules that let people in by group do not, and rules that keep people out by \
                 group do. Grant admin consent for GroupMember.Read.All; if it is granted, test again in a few \
                 minutes.{guest}"
            ))
        }
    }
}

fn claim(name: &str, signed_in: &SignedIn) -> Check {
    if signed_in.claims.contains_key(name) {
        return Check::new(Step::Claim, CheckState::Good, "in the ID token").about(name);
    }
    Check::new(Step::Claim, CheckState::Bad, "not in the ID token of this account")
        .about(name)
        .mend(format!(
            "Token configuration: add the optional claim {name} to the ID token, or take it out of claims. Claims \
             that this account has no value for are left out by Microsoft."
        ))
}

fn contexts(signed_in: &SignedIn) -> Option<Check> {
    let satisfied = signed_in.contexts.as_ref()?;
    let found = if satisfied.is_empty() {
        "none satisfied by this sign-in, which asked for none".to_owned()
    } else {
        format!("satisfied by this sign-in: {}", satisfied.join(", "))
    };
    Some(Check::new(Step::Contexts, CheckState::Good, found).about("of this sign-in"))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;
    use serde_json::Map;

    use super::*;
    use crate::entra::testing::settings;
    use crate::model::identity::{Group, PersonKey};

    fn signed_in(granted: &[&str]) -> SignedIn {
        let id = |id| uuid::Uuid::from_u128(id);
        SignedIn {
            person: PersonKey {
                tenant: crate::model::ids::TenantId(id(1)),
                object: crate::model::ids::ObjectId(id(2)),
            },
            email: None,
            email_steps: Vec::new(),
            name: None,
            given_name: None,
            family_name: None,
            guest: false,
            groups: Groups::NotAsked,
            amr: Vec::new(),
            contexts: None,
            claims: Map::new(),
            provider_session: None,
            login_hint: None,
            granted: Some(granted.iter().map(|name| (*name).to_owned()).collect()),
            refresh_token: None,
        }
    }

    fn state(lines: &[Check], step: Step, about: Option<&str>) -> CheckState {
        let is_meant = |line: &&Check| line.step == step && line.about.as_deref() == about;
        lines.iter().find(is_meant).unwrap().state
    }

    /// Microsoft may grant less than was asked for, where people consent one by one.
    #[test]
    fn each_permission_is_told_by_what_was_granted() {
        let mut settings = settings("http://127.0.0.1:9");
        settings.support_groups = true;
        let permission = |signed_in: &SignedIn, name: &str| {
            let lines = of_person(&settings, signed_in);
            state(&lines, Step::DelegatedPermission, Some(name))
        };
        let mut some = signed_in(&["profile", "User.Read"]);
        for (name, expected) in [
            ("openid", CheckState::Good),
            ("profile", CheckState::Good),
            ("email", CheckState::Bad),
            ("offline_access", CheckState::Bad),
            ("User.Read", CheckState::Good),
            ("GroupMember.Read.All", CheckState::Bad),
            ("Directory.Read.All", CheckState::Off),
        ] {
            assert_eq!(permission(&some, name), expected, "{name}");
        }
        some.refresh_token = Some(SecretString::from("x"));
        assert_eq!(permission(&some, "offline_access"), CheckState::Good);
        // A wider permission does.
        let wider = signed_in(&["Directory.Read.All"]);
        assert_eq!(permission(&wider, "GroupMember.Read.All"), CheckState::Good);
        // An answer that names no scopes grants those that were asked for (RFC 6749 §5.1).
        let silent = SignedIn {
            granted: None,
            ..signed_in(&[])
        };
        assert_eq!(permission(&silent, "GroupMember.Read.All"), CheckState::Good);
    }

    #[test]
    fn groups_without_names_are_counted() {
        let group = |id, name: Option<&str>| Group {
            id: crate::model::ids::ObjectId(uuid::Uuid::from_u128(id)),
            name: name.map(str::to_owned),
        };
        let mut person = signed_in(&[]);
        person.groups = Groups::Known {
            groups: vec![group(1, Some("Staff")), group(2, None)],
        };
        let line = groups(&person);
        assert_eq!(line.state, CheckState::Warning);
        assert!(
            line.found.ends_with("nested ones included: 2; without a name: 1"),
            "{}",
            line.found
        );
        // Being in none is an answer.
        person.groups = Groups::Known { groups: Vec::new() };
        assert_eq!(groups(&person).state, CheckState::Good);
    }
}
