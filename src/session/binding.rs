//! The binding cookie (`CF_Binding`): a second secret of the browser that an application token was made for. Whoever
//! has the token alone, from a log or a script, opens nothing of the application with it.
//!
//! Its value follows from session and application under the master key, so that no token need carry it, no store keep it
//! and every replica knows it; nobody else can say it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;

use super::cookies::{self, BINDING};
use crate::crypto::equal::constant_time;
use crate::crypto::seal::Sealer;
use crate::model::ids::{AudTag, SessionNonce};

/// The value for a session's tokens of one application.
pub fn value(sealer: &Sealer, session: &SessionNonce, aud: &AudTag) -> String {
    let text = format!("{}\n{}", session.as_str(), aud.as_str());
    URL_SAFE_NO_PAD.encode(sealer.fingerprint("binding cookie", text.as_bytes()))
}

/// Whether a browser shows it. A sibling host may plant others of the name beside it; they do no harm.
pub fn is_shown(headers: &HeaderMap, value: &str) -> bool {
    cookies::values(headers, BINDING).any(|shown| constant_time(shown.as_bytes(), value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_of_one_session_and_one_application() {
        let sealer = Sealer::new(vec![7; 32].into(), "o");
        let (session, other): (SessionNonce, SessionNonce) = (
            "6ei69kawdKzMIAPF".parse().unwrap(),
            "7ei69kawdKzMIAPF".parse().unwrap(),
        );
        let (wiki, files): (AudTag, AudTag) =
            ("a".repeat(64).parse().unwrap(), "b".repeat(64).parse().unwrap());
        let own = value(&sealer, &session, &wiki);
        assert_eq!(own, value(&sealer, &session, &wiki));
        assert_ne!(own, value(&sealer, &other, &wiki));
        assert_ne!(own, value(&sealer, &session, &files));
        assert_ne!(own, value(&Sealer::new(vec![8; 32].into(), "o"), &session, &wiki));
        let headers = |line: String| {
            [(http::header::COOKIE, line.parse().unwrap())]
                .into_iter()
                .collect()
        };
        assert!(is_shown(
            &headers(format!("CF_Binding=planted; CF_Binding={own}")),
            &own
        ));
        assert!(!is_shown(
            &headers("CF_Binding=planted; CF_Binding=".to_owned()),
            &own
        ));
    }
}
