//! Whether the token that opens a door is still current: replaced in place where it is past its end or near it.
//!
//! Between two renewals this costs a few comparisons. What a renewal takes happens on the control plane
//! ([`crate::login::renew`]).

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, SET_COOKIE};
use http::{HeaderMap, HeaderValue};

use super::{Gate, caching};
use crate::login::renew::{Renewed, Wish};
use crate::model::token_duration::SHORTEST;
use crate::policy::Permit;
use crate::router::Target;
use crate::session::identify::Credential;
use crate::snapshot::{ProtectedApplication, Snapshot};

/// What a credential is to open.
pub(super) struct Door<'r> {
    pub(super) snapshot: &'r Snapshot,
    pub(super) application: &'r Arc<ProtectedApplication>,
    pub(super) target: &'r Target,
    pub(super) address: IpAddr,
}

/// What a credential is worth now.
pub(super) enum Currency {
    /// It opens the door.
    Current(Current),
    /// Another one is needed, from the auth host.
    Over,
    /// That cannot be said: the store does not answer.
    Unavailable,
}

/// A credential that opens the door, and the cookie that puts it in the old one's place, where it is a new one.
pub(super) struct Current {
    pub(super) credential: Rc<Credential>,
    pub(super) cookie: Option<HeaderValue>,
}

impl From<Rc<Credential>> for Current {
    fn from(credential: Rc<Credential>) -> Self {
        Self {
            credential,
            cookie: None,
        }
    }
}

impl Gate {
    /// The credential as it may be used for what was permitted; another in its place where it is time.
    pub(super) async fn current(
        &self,
        credential: Rc<Credential>,
        permit: &Permit,
        door: &Door<'_>,
        headers: &HeaderMap,
    ) -> Currency {
        let duration = permit
            .session_duration()
            .unwrap_or(&door.application.app.session_duration)
            .length();
        let now_ms = self.shared.clock.now_ms();
        if duration.is_zero() {
            return self.once(credential, headers, now_ms).await;
        }
        let need = need(&credential, duration, door.snapshot, now_ms);
        if need == Need::None {
            return Currency::Current(credential.into());
        }
        // A store that does not answer must not slow down who could do without.
        if need == Need::Soon && !self.shared.grace.store_answers(now_ms) {
            return Currency::Current(credential.into());
        }
        let wish = Wish {
            digest: credential.digest,
            session: credential.session.nonce().clone(),
            epoch: credential.verified.epoch,
            application: Arc::clone(door.application),
            duration,
        };
        let renewed = self.shared.renewal.renew(wish).await;
        let fresh = match &renewed {
            Renewed::Fresh(fresh) => self.identifier.take_in(
                door.snapshot,
                door.application,
                &fresh.token,
                door.address,
                self.shared.clock.now_ms(),
            ),
            Renewed::Refused | Renewed::Unavailable => None,
        };
        match (renewed, fresh) {
            (Renewed::Fresh(minted), Some(fresh)) => Currency::Current(Current {
                credential: fresh,
                cookie: minted.cookie(&self.shared.renewal, door.target.host(), door.target.path()),
            }),
            (_, _) if need == Need::Soon => {
                self.shared.renewal.leave_alone(credential.digest);
                Currency::Current(credential.into())
            }
            (Renewed::Unavailable, _) => Currency::Unavailable,
            (_, _) => Currency::Over,
        }
    }

    /// A token without duration: good for one navigation, and for what its page fetches until it ends.
    async fn once(&self, credential: Rc<Credential>, headers: &HeaderMap, now_ms: i64) -> Currency {
        if credential.expired(now_ms) {
            return Currency::Over;
        }
        if !navigates(headers) {
            return Currency::Current(credential.into());
        }
        match self.shared.renewal.first_navigation(credential.digest).await {
            Some(true) => Currency::Current(credential.into()),
            Some(false) => Currency::Over,
            None => Currency::Unavailable,
        }
    }
}

/// How urgently a token needs another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    None,
    /// It is good, but not for long, or was signed with the previous key.
    Soon,
    /// It is past its end, or past what the policy now allows.
    Now,
}

fn need(credential: &Credential, duration: Duration, snapshot: &Snapshot, now_ms: i64) -> Need {
    let verified = &credential.verified;
    let now = now_ms.div_euclid(1000);
    let duration = i64::try_from(duration.max(SHORTEST).as_secs()).unwrap_or(i64::MAX);
    if now >= verified.exp || now >= verified.iat.saturating_add(duration) {
        return Need::Now;
    }
    let life = verified.exp.saturating_sub(verified.iat);
    // One that ends with its session cannot live longer by being renewed.
    let ends_with_session = verified.exp >= credential.session.expires_ms().div_euclid(1000);
    let last_tenth = now >= verified.exp.saturating_sub(life / 10) && !ends_with_session;
    let current = snapshot.keys.current();
    let signed_before = current.is_some_and(|current| current.kid != verified.kid);
    if last_tenth || signed_before {
        Need::Soon
    } else {
        Need::None
    }
}

/// Whether a request opens a page in a tab or window (Fetch Metadata §2). Clients that do not say so are taken by what
/// they accept: only navigation names HTML.
fn navigates(headers: &HeaderMap) -> bool {
    let sent = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match sent("sec-fetch-mode") {
        Some(mode) => mode == b"navigate" && sent("sec-fetch-dest").is_none_or(|dest| dest == b"document"),
        None => headers
            .get(ACCEPT)
            .and_then(|accept| accept.to_str().ok())
            .is_none_or(|accept| accept.contains("text/html")),
    }
}

/// Puts a cookie for this browser into an answer. No cache keeps that, whatever the application says of its content.
pub(super) fn hand_out(headers: &mut HeaderMap, cookie: HeaderValue) {
    headers.append(SET_COOKIE, cookie);
    caching::forbid(headers);
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::header::CACHE_CONTROL;

    use super::*;

    fn asked(fields: &[(&'static str, &'static str)]) -> bool {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        navigates(&fields.collect())
    }

    #[test]
    fn pages_are_navigated_to_and_what_they_fetch_is_not() {
        assert!(asked(&[
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document")
        ]));
        assert!(!asked(&[
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe")
        ]));
        assert!(!asked(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]));
        assert!(!asked(&[("sec-fetch-mode", "no-cors")]));
        assert!(asked(&[("accept", "text/html,*/*")]));
        assert!(!asked(&[("accept", "image/avif,*/*")]));
        assert!(asked(&[]), "who says nothing");
    }

    #[test]
    fn an_answer_that_hands_out_a_token_is_kept_by_nobody() {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=600"));
        hand_out(&mut headers, HeaderValue::from_static("CF_Authorization=x"));
        assert_eq!(headers[CACHE_CONTROL], "private, no-store");
        // Nor by a cache that is spoken to by itself (RFC 9213).
        for name in [
            "cdn-cache-control",
            "surrogate-control",
            "cloudflare-cdn-cache-control",
        ] {
            assert!(!headers.contains_key(name));
            headers.append(name, HeaderValue::from_static("public"));
            headers.append(name, HeaderValue::from_static("max-age=600"));
            hand_out(&mut headers, HeaderValue::from_static("CF_Authorization=x"));
            let lines: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(lines, ["no-store"], "{name}");
        }
    }
}
