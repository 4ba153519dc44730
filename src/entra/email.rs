//! The e-mail address of a person, and whether rules may rely on it.
//!
//! Order: the configured claim, `email`, `upn`, `preferred_username` (home members only), Graph's `userPrincipalName`.
//! An address in a token is not verified by being there: in 2023 people took over accounts by writing a victim's address
//! into the `mail` of their own directory ("nOAuth", <https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization>).
//! So an address is passed over where Entra says that its domain is not verified, and a guest's address satisfies no rule
//! unless Entra vouches for it or the provider is configured to trust guests.

use super::claims::Claims;
use crate::model::email::EmailAddress;
use crate::model::identity::Email;
use crate::model::idp::EntraSettings;
use crate::model::ids::TenantId;

/// What was found, and the way there for the operator's log. The steps hold no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) email: Option<Email>,
    pub(super) steps: Vec<String>,
}

/// Whether the account is a guest: `acct` says so, or another identity provider signed it in.
pub(super) fn is_guest(claims: &Claims, tenant: TenantId) -> bool {
    let home =
        |idp: &str| claims.text("iss") == Some(idp) || idp == format!("https://sts.windows.net/{tenant}/");
    claims.truth("acct") == Some(true) || claims.text("idp").is_some_and(|idp| !home(idp))
}

/// Looks in the token.
pub(super) fn in_token(claims: &Claims, guest: bool, settings: &EntraSettings) -> Found {
    let mut search = Search {
        claims,
        guest,
        trust_guests: settings.trust_guest_email,
        steps: Vec::new(),
    };
    let email = search.run(settings.email_claim_name.as_deref());
    Found {
        email,
        steps: search.steps,
    }
}

/// Falls back to the `userPrincipalName` that Graph gave; `None` where Graph did not tell.
pub(super) fn or_principal_name(
    found: Found,
    principal_name: Option<&str>,
    claims: &Claims,
    guest: bool,
    settings: &EntraSettings,
) -> Found {
    let mut search = Search {
        claims,
        guest,
        trust_guests: settings.trust_guest_email,
        steps: found.steps,
    };
    let email = search.accept("Graph userPrincipalName", principal_name.into_iter().collect());
    Found {
        email,
        steps: search.steps,
    }
}

struct Search<'a> {
    claims: &'a Claims,
    guest: bool,
    trust_guests: bool,
    steps: Vec<String>,
}

impl Search<'_> {
    fn run(&mut self, configured: Option<&str>) -> Option<Email> {
        if let Some(name) = configured {
            let found = self.look(name);
            if found.is_some() {
                return found;
            }
            self.steps.push(format!(
                "email_claim_name is {name}: add it to the optional claims of the app registration, or leave it out"
            ));
        }
        self.look("email").or_else(|| self.look("upn")).or_else(|| {
            if self.guest {
                // For a guest it is whatever the home directory calls him, an address of another domain.
                self.steps
                    .push("preferred_username: not used for guests".to_owned());
                return None;
            }
            self.look("preferred_username")
        })
    }

    fn look(&mut self, name: &str) -> Option<Email> {
        let candidates = self.claims.texts(name);
        self.accept(name, candidates)
    }

    fn accept(&mut self, source: &str, candidates: Vec<&str>) -> Option<Email> {
        let absent = candidates.is_empty();
        let parsed = candidates
            .into_iter()
            .filter(|text| !names_a_guest_account(text))
            .find_map(|text| text.parse::<EmailAddress>().ok());
        let Some(address) = parsed else {
            let what = if absent { "absent" } else { "no e-mail address" };
            self.steps.push(format!("{source}: {what}"));
            return None;
        };
        // A principal name always lies in a verified domain of its directory; other claims repeat the `mail` attribute.
        let principal_name = matches!(source, "upn" | "preferred_username" | "Graph userPrincipalName");
        if !principal_name && self.domain_is_unverified(&address) {
            self.steps.push(format!(
                "{source}: passed over, its domain is not verified (xms_edov is false)"
            ));
            return None;
        }
        let trusted = !self.guest || self.trust_guests || self.vouched_for(&address);
        let doubt = if trusted {
            ""
        } else {
            ", but no rule relies on it: Entra does not vouch for this guest's address"
        };
        self.steps.push(format!("{source}: found{doubt}"));
        Some(Email { address, trusted })
    }

    fn domain_is_unverified(&self, address: &EmailAddress) -> bool {
        self.claims.truth("xms_edov") == Some(false)
            && self.is_in("email", address)
            && !self.is_in("verified_primary_email", address)
    }

    fn vouched_for(&self, address: &EmailAddress) -> bool {
        let domain_verified = self.claims.truth("xms_edov") == Some(true) && self.is_in("email", address);
        domain_verified || self.is_in("verified_primary_email", address)
    }

    fn is_in(&self, claim: &str, address: &EmailAddress) -> bool {
        let addresses = self.claims.texts(claim);
        addresses.iter().any(|text| text.parse().as_ref() == Ok(address))
    }
}

/// `carol_partner.example#EXT#@contoso.onmicrosoft.com` is the directory's name for a guest (`_EXT_` where the optional
/// claim asks for no hash): it looks like an address of the directory's own domain and is none.
fn names_a_guest_account(text: &str) -> bool {
    let local = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
    local.contains("#ext#") || local.ends_with("_ext_")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::entra::testing::settings;

    fn find(claims: &Value, change: impl FnOnce(&mut EntraSettings)) -> Found {
        let mut settings = settings("http://127.0.0.1:9");
        change(&mut settings);
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        let guest = is_guest(&claims, settings.directory_id);
        in_token(&claims, guest, &settings)
    }

    fn address(found: &Found) -> Option<(&str, bool)> {
        found
            .email
            .as_ref()
            .map(|email| (email.address.as_str(), email.trusted))
    }

    #[test]
    fn the_order_is_configured_claim_email_upn_preferred_username() {
        let mut claims = json!({
            "mail": ["Work@corp.example"], "email": "mail@corp.example",
            "upn": "upn@corp.example", "preferred_username": "name@corp.example",
        });
        for (claim, expected) in [
            ("mail", "work@corp.example"),
            ("email", "mail@corp.example"),
            ("upn", "upn@corp.example"),
            ("preferred_username", "name@corp.example"),
        ] {
            let found = find(&claims, |s| s.email_claim_name = Some("mail".to_owned()));
            assert_eq!(address(&found), Some((expected, true)));
            claims.as_object_mut().unwrap().remove(claim);
        }
        assert_eq!(find(&claims, |_| ()).email, None);
    }

    #[test]
    fn a_configured_claim_that_is_no_address_falls_through_with_a_hint() {
        for mail in [json!({}), json!({ "mail": "+49 30 1234" })] {
            let mut claims = mail.clone();
            claims["upn"] = "alice@corp.example".into();
            let found = find(&claims, |s| s.email_claim_name = Some("mail".to_owned()));
            assert_eq!(address(&found), Some(("alice@corp.example", true)), "{mail}");
            assert!(found.steps.iter().any(|step| step.contains("optional claims")));
            assert!(
                found.steps.iter().all(|step| !step.contains('@')),
                "{:?}",
                found.steps
            );
        }
    }

    #[test]
    fn a_guest_is_believed_only_where_entra_vouches_or_the_operator_trusts() {
        let guest = |more: Value| {
            let mut claims = json!({ "acct": 1, "email": "carol@partner.example" });
            claims
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            claims
        };
        let trusted = |claims: &Value| address(&find(claims, |_| ())).map(|(_, trusted)| trusted);
        assert_eq!(trusted(&guest(json!({}))), Some(false));
        assert_eq!(trusted(&guest(json!({ "xms_edov": "1" }))), Some(true));
        assert_eq!(
            trusted(&guest(
                json!({ "verified_primary_email": ["Carol@Partner.example"] })
            )),
            Some(true)
        );
        assert_eq!(
            trusted(&guest(
                json!({ "verified_primary_email": ["other@partner.example"] })
            )),
            Some(false)
        );
        let trusting = find(&guest(json!({})), |s| s.trust_guest_email = true);
        assert_eq!(address(&trusting), Some(("carol@partner.example", true)));
        // The verified domain is that of `email`, not of some other claim.
        let other = guest(json!({ "xms_edov": true, "mail": "ceo@victim.example" }));
        let found = find(&other, |s| s.email_claim_name = Some("mail".to_owned()));
        assert_eq!(address(&found), Some(("ceo@victim.example", false)));
    }

    #[test]
    fn the_directorys_name_of_a_guest_is_no_address() {
        for upn in [
            "carol_partner.example#EXT#@corp.onmicrosoft.com",
            "carol_partner.example_EXT_@corp.onmicrosoft.com",
        ] {
            let claims = json!({ "acct": 1, "upn": upn, "preferred_username": "carol@partner.example" });
            assert_eq!(find(&claims, |s| s.trust_guest_email = true).email, None, "{upn}");
        }
    }

    #[test]
    fn an_unverified_domain_is_passed_over_under_any_claim_name() {
        let claims = json!({ "xms_edov": false, "email": "ceo@victim.example", "mail": "ceo@victim.example", "upn": "mallory@corp.example" });
        let found = find(&claims, |s| s.email_claim_name = Some("mail".to_owned()));
        assert_eq!(address(&found), Some(("mallory@corp.example", true)));
    }

    #[test]
    fn another_identity_provider_makes_a_guest() {
        let tenant: TenantId = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60".parse().unwrap();
        let guest = |claims: Value| is_guest(&Claims::parse(claims.to_string().as_bytes()).unwrap(), tenant);
        assert!(guest(json!({ "idp": "live.com" })));
        assert!(guest(
            json!({ "acct": 0, "idp": "https://sts.windows.net/9b8c7d6e-5f40-4312-a1b2-c3d4e5f60718/" })
        ));
        assert!(guest(json!({ "acct": "1" })));
        assert!(!guest(json!({ "acct": 0 })));
        assert!(!guest(
            json!({ "idp": "https://sts.windows.net/72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60/" })
        ));
    }

    #[test]
    fn graph_is_the_last_resort() {
        let claims = Claims::parse(b"{}").unwrap();
        let settings = settings("http://127.0.0.1:9");
        let nothing = in_token(&claims, false, &settings);
        let found = or_principal_name(nothing, Some("alice@corp.example"), &claims, false, &settings);
        assert_eq!(address(&found), Some(("alice@corp.example", true)));
        assert_eq!(found.steps.len(), 4);
    }
}
