//! Which permissions a provider needs, and which of them it has.
//!
//! Those on behalf of people stand in `scope` of the answer to a sign-in, those of the application in `roles` of its own
//! token (<https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference>), which is read here for
//! this and believed for nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::without_token;
use crate::entra::delta;
use crate::entra::relying_party::{permissions, scopes};
use crate::entra::signed_in::SignedIn;
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::{EntraSettings, IdentityProvider};

const READ_GROUPS: &str = "GroupMember.Read.All";
/// It holds all of [`READ_GROUPS`], and much more.
const READ_DIRECTORY: &str = "Directory.Read.All";
const READ_CONTEXTS: &str = "Policy.Read.ConditionalAccess";
const READ_APPLICATIONS: &str = "Application.Read.All";
const READ_PEOPLE: &str = delta::READ_PEOPLE;

/// Permissions that hold what another one is needed for.
const WIDER: &[(&str, &[&str])] = &[
    (
        READ_GROUPS,
        &[
            "Group.Read.All",
            "Group.ReadWrite.All",
            READ_DIRECTORY,
            "Directory.ReadWrite.All",
        ],
    ),
    (
        "User.Read",
        &[
            "User.ReadWrite",
            "User.Read.All",
            "User.ReadWrite.All",
            READ_DIRECTORY,
        ],
    ),
    (
        READ_CONTEXTS,
        &["Policy.Read.All", "Policy.ReadWrite.ConditionalAccess"],
    ),
    (
        READ_PEOPLE,
        &["User.ReadWrite.All", READ_DIRECTORY, "Directory.ReadWrite.All"],
    ),
    (READ_DIRECTORY, &["Directory.ReadWrite.All"]),
];

/// What each is for, as far as this gateway asks for it by itself.
fn purpose(step: Step, permission: &str) -> &'static str {
    match permission {
        "openid" => "says who signed in",
        "profile" => "name and object id",
        "email" => "the e-mail address",
        "offline_access" => "asks again whether the account still stands",
        "User.Read" => "the person's own profile",
        READ_GROUPS if step == Step::ApplicationPermission => {
            "reads who is in which group: for directory_sync, and where people inherit groups that SCIM does not tell of"
        }
        READ_GROUPS => "groups, with their names",
        READ_CONTEXTS => "the list of authentication contexts",
        READ_APPLICATIONS => "when the client secret ends",
        READ_PEOPLE => "who is disabled or deleted, for directory_sync",
        _ => "asked for by scopes",
    }
}

/// The permissions on behalf of people, after a sign-in.
pub(super) fn of_sign_in(settings: &EntraSettings, signed_in: &SignedIn) -> Vec<Check> {
    let has = |name: &str| match name {
        // There is an ID token, or nobody would have signed in.
        "openid" => true,
        // It is granted in silence: what comes of it is a refresh token.
        "offline_access" => signed_in.refresh_token.is_some(),
        _ => signed_in
            .granted
            .as_ref()
            .is_none_or(|granted| granted.iter().any(|known| known.eq_ignore_ascii_case(name))),
    };
    let needed = needed(settings);
    let line = |name: &String| granted(Step::DelegatedPermission, name, has).unwrap_or_else(|| missing(name));
    let mut lines: Vec<Check> = needed.iter().map(line).collect();
    lines.extend(not_needed(settings, &needed));
    lines
}

/// The permissions on behalf of people, where Microsoft says that consent is missing and not for what.
pub(super) fn without_consent(settings: &EntraSettings) -> Vec<Check> {
    let needed = needed(settings);
    let line = |name: &String| {
        Check::new(
            Step::DelegatedPermission,
            CheckState::Unknown,
            "consent to this one or another one is missing",
        )
        .about(name)
        .mend("Look at it under API permissions, then Grant admin consent.")
    };
    needed.iter().map(line).collect()
}

/// The permissions of the application's own.
pub(super) fn of_application(provider: &IdentityProvider, token: Option<&SecretString>) -> Vec<Check> {
    let settings = &provider.entra;
    let is_read = provider.sync.is_some();
    let groups = match (&provider.scim, settings.support_groups) {
        _ if is_read => "",
        (None, _) => "not needed: SCIM is off",
        (Some(_), false) => "not needed: support_groups is off",
        (Some(_), true) => "",
    };
    let roles = token.map(|token| roles(token.expose_secret()));
    let line = |name: &str, needed: bool, off: &str| {
        let found = match &roles {
            None if needed => return without_token(Step::ApplicationPermission).about(name),
            Some(None) if needed => {
                let opaque = "the token of the application cannot be read";
                return Check::new(Step::ApplicationPermission, CheckState::Unknown, opaque)
                    .about(name)
                    .mend(format!(
                        "Look in Entra under App registrations, API permissions, whether the application permission \
                         {name} of Microsoft Graph is granted."
                    ));
            }
            Some(Some(roles)) => granted(Step::ApplicationPermission, name, |name| {
                roles.iter().any(|role| role == name)
            }),
            _ => None,
        };
        found.unwrap_or_else(|| {
            if needed {
                missing_of_application(name, is_read)
            } else {
                Check::new(Step::ApplicationPermission, CheckState::Off, off).about(name)
            }
        })
    };
    let mut lines = vec![
        line(
            READ_CONTEXTS,
            settings.conditional_access_enabled,
            "not needed: conditional_access_enabled is off",
        ),
        line(READ_GROUPS, groups.is_empty(), groups),
        line(
            READ_APPLICATIONS,
            false,
            "not needed: with it, Graph tells when the client secret ends",
        ),
    ];
    if is_read {
        lines.push(line(READ_PEOPLE, true, ""));
    }
    lines
}

/// What a sign-in asks for, by the names of the permissions.
fn needed(settings: &EntraSettings) -> Vec<String> {
    let mut needed = vec!["openid".to_owned()];
    needed.extend(permissions(&scopes(settings)));
    needed
}

fn not_needed(settings: &EntraSettings, needed: &[String]) -> Vec<Check> {
    let groups = if settings.support_groups {
        "not needed: GroupMember.Read.All is enough for groups"
    } else {
        "not asked for: support_groups is off"
    };
    let rest = ["User.Read", READ_GROUPS, READ_DIRECTORY];
    let rest = rest
        .iter()
        .filter(|name| !needed.iter().any(|known| known == *name));
    rest.map(|name| Check::new(Step::DelegatedPermission, CheckState::Off, groups).about(*name))
        .collect()
}

fn granted(step: Step, name: &str, has: impl Fn(&str) -> bool) -> Option<Check> {
    let good = |found: String| Some(Check::new(step, CheckState::Good, found).about(name));
    if has(name) {
        return good(format!("granted: {}", purpose(step, name)));
    }
    let wider = WIDER.iter().find(|(known, _)| *known == name)?.1;
    let holder = wider.iter().find(|wider| has(wider))?;
    good(format!(
        "held by {holder}, which is granted: {}",
        purpose(step, name)
    ))
}

fn missing(name: &str) -> Check {
    let step = Step::DelegatedPermission;
    let found = format!("not granted: {}", purpose(step, name));
    Check::new(step, CheckState::Bad, found)
        .about(name)
        .mend(format!(
            "Entra, App registrations, API permissions: add the delegated permission {name} of Microsoft Graph, then \
             Grant admin consent."
        ))
}

fn missing_of_application(name: &str, is_read: bool) -> Check {
    let step = Step::ApplicationPermission;
    let mut found = format!("not granted: {}", purpose(step, name));
    // People sign in without it; only what follows from a change comes later than it could.
    let state = if name == READ_GROUPS && !is_read {
        found.push_str("; without it, such groups are held no longer until the next sign-in");
        CheckState::Warning
    } else {
        CheckState::Bad
    };
    Check::new(step, state, found)
        .about(name)
        .mend(format!(
            "Entra, App registrations, API permissions: add the application permission {name} of Microsoft Graph, then \
             Grant admin consent."
        ))
}

/// `roles` of an application's token; `None` where it cannot be read. Microsoft may make such tokens opaque.
fn roles(token: &str) -> Option<Vec<String>> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    let roles = claims.as_object()?.get("roles").and_then(Value::as_array);
    let roles = roles.into_iter().flatten().filter_map(Value::as_str);
    Some(roles.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::testing::settings;

    #[test]
    fn the_roles_of_a_token_are_read_and_an_opaque_one_has_none_to_read() {
        let token = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(roles(&token(r#"{"roles":["A","B"]}"#)).unwrap(), ["A", "B"]);
        assert_eq!(roles(&token("{}")), Some(Vec::new()));
        for opaque in ["", "opaque", "a.b.c", &token("[]"), &token("{")] {
            assert_eq!(roles(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn what_is_needed_follows_the_settings() {
        let mut settings = settings("http://127.0.0.1:9");
        settings.support_groups = false;
        settings.scopes = vec!["Directory.Read.All".to_owned()];
        assert_eq!(
            needed(&settings),
            [
                "openid",
                "profile",
                "email",
                "offline_access",
                "Directory.Read.All"
            ]
        );
        settings.support_groups = true;
        assert!(needed(&settings).contains(&READ_GROUPS.to_owned()));
    }
}
