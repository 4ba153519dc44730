//! A service token of the environment, for machines at which nobody signs in.

use std::fmt;

use super::address::AppAddress;
use super::exchange::cookie;
use super::trouble::Trouble;
use super::web::Web;
use crate::model::cookie_names::AUTHORIZATION;

/// The variables: ours, then cloudflared's.
const VARIABLES: [(&str, &str); 2] = [
    ("VESTIBULE_CLIENT_ID", "VESTIBULE_CLIENT_SECRET"),
    ("TUNNEL_SERVICE_TOKEN_ID", "TUNNEL_SERVICE_TOKEN_SECRET"),
];

/// The headers that carry it.
pub(super) const ID_HEADER: &str = "CF-Access-Client-Id";
pub(super) const SECRET_HEADER: &str = "CF-Access-Client-Secret";

/// A service token.
#[derive(Clone)]
pub(super) struct ServiceToken {
    pub(super) id: String,
    pub(super) secret: String,
}

/// Without the secret.
impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl ServiceToken {
    /// The one that the environment names, if it names one.
    pub(super) fn from(environment: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Trouble> {
        let value = |name| environment(name).filter(|value| !value.is_empty());
        for (id, secret) in VARIABLES {
            match (value(id), value(secret)) {
                (None, None) => {}
                (Some(id), Some(secret)) => return Self::checked(id, secret).map(Some),
                (Some(_), None) => return Err(missing(secret, id)),
                (None, Some(_)) => return Err(missing(id, secret)),
            }
        }
        Ok(None)
    }

    fn checked(id: String, secret: String) -> Result<Self, Trouble> {
        let plain = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        if plain(&id) && plain(&secret) {
            Ok(Self { id, secret })
        } else {
            Err(Trouble::Usage(
                "the service token of the environment has a character that none has".to_owned(),
            ))
        }
    }

    /// The application token that the gateway gives for it.
    pub(super) async fn token(&self, web: &Web, address: &AppAddress) -> Result<String, Trouble> {
        let headers = [
            (ID_HEADER, self.id.as_str()),
            (SECRET_HEADER, self.secret.as_str()),
        ];
        let reply = web.head(address.url(), &headers).await?;
        let token = cookie(&reply, AUTHORIZATION).filter(|token| !token.is_empty());
        token.ok_or_else(|| {
            Trouble::Refused(format!(
                "the service token of the environment does not open {address} ({})",
                reply.status
            ))
        })
    }
}

fn missing(absent: &str, present: &str) -> Trouble {
    Trouble::Usage(format!(
        "{present} is set and {absent} is not; a service token has both"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(set: &[(&str, &str)]) -> Result<Option<String>, String> {
        let environment = |name: &str| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let read = ServiceToken::from(&environment);
        read.map(|token| token.map(|token| token.id))
            .map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_service_token_is_a_pair() {
        assert_eq!(from(&[]), Ok(None));
        assert_eq!(
            from(&[("VESTIBULE_CLIENT_ID", ""), ("VESTIBULE_CLIENT_SECRET", "")]),
            Ok(None)
        );
        let theirs = [
            ("TUNNEL_SERVICE_TOKEN_ID", "b.access"),
            ("TUNNEL_SERVICE_TOKEN_SECRET", "s"),
        ];
        assert_eq!(from(&theirs), Ok(Some("b.access".to_owned())));
        let ours = [
            ("VESTIBULE_CLIENT_ID", "a.access"),
            ("VESTIBULE_CLIENT_SECRET", "s"),
        ];
        assert_eq!(
            from(&[&theirs[..], &ours].concat()),
            Ok(Some("a.access".to_owned()))
        );
        assert!(
            from(&ours[..1])
                .unwrap_err()
                .contains("VESTIBULE_CLIENT_SECRET is not")
        );
        assert!(from(&theirs[1..]).is_err());
        assert!(from(&[("VESTIBULE_CLIENT_ID", "a\nb"), ("VESTIBULE_CLIENT_SECRET", "s")]).is_err());
    }
}
