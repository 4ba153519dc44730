//! The bounce counter: an end to loops between an application and its login.
//!
//! A *bounce* is a completed hand-over after which the browser asks again without the token it was given: its clock
//! is wrong, cookies are `SameSite=Strict`, the address is plain http, or an extension removes them. The count needs
//! no memory here. It goes round with the loop: a small cookie of the application's host, read by the challenge, taken
//! along in the sealed texts, and written one higher by the next hand-over. Tabs that sign in side by side each carry
//! the count they started with, so that many of them make no loop.
//!
//! Where cookies are blocked altogether there is no loop to count: the chain ends at its first station that misses
//! its cookie (`CF_Session` at the callback, `CF_AppSession` at the hand-over) with a page that says so.

use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

pub use crate::model::cookie_names::BOUNCE as COOKIE;
use crate::model::organization::AuthUrl;
use crate::session::cookies;
use crate::session::identify::Credential;

/// Bounces are counted within this many seconds.
const WINDOW_SECONDS: i64 = 30;

/// At this many the browser is stopped. A slow loop takes seconds a turn, so that three are no accident.
const MOST: u8 = 3;

/// How often this browser has come back without its token, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bounces {
    #[serde(rename = "n")]
    count: u8,
    #[serde(rename = "t")]
    since: i64,
}

impl Bounces {
    /// What the browser's cookie says; nothing where it is missing, malformed or old. A browser that lies about it
    /// harms nobody but itself.
    pub fn of(headers: &HeaderMap, now_seconds: i64) -> Self {
        let written = cookies::values(headers, COOKIE).next().and_then(|value| {
            let (count, since) = value.split_once('.')?;
            Some(Self {
                count: count.parse().ok()?,
                since: since.parse().ok()?,
            })
        });
        written
            .filter(|bounces| bounces.recent(now_seconds))
            .unwrap_or_default()
    }

    /// Whether the browser goes round in circles.
    pub fn is_loop(self) -> bool {
        self.count >= MOST
    }

    /// `Set-Cookie` at a completed hand-over: one more.
    pub fn handed_over(self, auth: &AuthUrl, now_seconds: i64) -> Option<HeaderValue> {
        let fresh = Self {
            count: 0,
            since: now_seconds,
        };
        let from = if self.recent(now_seconds) && self.count > 0 {
            self
        } else {
            fresh
        };
        set(
            auth,
            &format!("{}.{}", from.count.saturating_add(1), from.since),
            WINDOW_SECONDS,
        )
    }

    fn recent(self, now_seconds: i64) -> bool {
        (0..=WINDOW_SECONDS).contains(&now_seconds.saturating_sub(self.since))
    }
}

/// `Set-Cookie` that ends the count of a browser that has arrived: it shows a token that this core sees for the first
/// time, as after a hand-over. Without it the next application of the same host would go on counting.
pub fn arrived(credential: Option<&Credential>, headers: &HeaderMap, auth: &AuthUrl) -> Option<HeaderValue> {
    let first = credential.is_some_and(Credential::first_seen);
    let counted = || cookies::values(headers, COOKIE).next().is_some();
    (first && counted()).then(|| forget(auth)).flatten()
}

/// `Set-Cookie` that begins the count anew: on the stop page, so that trying again is possible, and at logout.
pub fn forget(auth: &AuthUrl) -> Option<HeaderValue> {
    set(auth, "", 0)
}

fn set(auth: &AuthUrl, value: &str, seconds: i64) -> Option<HeaderValue> {
    let secure = if auth.is_https() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; HttpOnly; SameSite=Lax{secure}; Path=/; Max-Age={seconds}");
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_226_200;

    fn auth() -> AuthUrl {
        AuthUrl::try_from("https://login.example.com".parse::<url::Url>().unwrap()).unwrap()
    }

    /// One turn: hand-over at `at`, then the browser comes back with the cookie it was given.
    fn turn(before: Bounces, at: i64) -> Bounces {
        let set = before.handed_over(&auth(), at).unwrap();
        let cookie = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let headers = [(http::header::COOKIE, cookie.parse().unwrap())]
            .into_iter()
            .collect();
        Bounces::of(&headers, at + 1)
    }

    #[test]
    fn the_third_bounce_is_a_loop() {
        let first = turn(Bounces::default(), NOW);
        let second = turn(first, NOW + 2);
        let third = turn(second, NOW + 4);
        assert!(!first.is_loop() && !second.is_loop() && third.is_loop());
    }

    #[test]
    fn slow_returns_are_no_loop() {
        let mut bounces = Bounces::default();
        for turns in 0..10 {
            bounces = turn(bounces, NOW + turns * 20);
            assert!(!bounces.is_loop());
        }
    }

    #[test]
    fn tabs_side_by_side_are_no_loop() {
        // Each tab carries the count it started with.
        for _ in 0..20 {
            assert!(!turn(Bounces::default(), NOW).is_loop());
        }
    }

    #[test]
    fn a_malformed_cookie_counts_nothing() {
        for value in [
            "",
            "x",
            "3",
            "3.",
            "999.1767226200",
            "3.1767226300",
            "-1.1767226200",
        ] {
            let headers = [(http::header::COOKIE, format!("{COOKIE}={value}").parse().unwrap())]
                .into_iter()
                .collect();
            assert_eq!(Bounces::of(&headers, NOW), Bounces::default(), "{value}");
        }
    }
}
