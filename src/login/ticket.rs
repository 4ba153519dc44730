//! The hand-over ticket: carries a session from the auth host to an application's host.
//!
//! `GET app/cdn-cgi/access/authorized?nonce=…&state=<ticket>`. It is good for a minute, once, for one application on
//! one host in the browser that asked. It stands in an address, so it is worth nothing to whoever reads it later.

use serde::{Deserialize, Serialize};

use super::eager::Round;
use super::landing::Landing;
use crate::clock::Clock;
use crate::crypto::digest::{Sha256, sha256};
use crate::crypto::random;
use crate::crypto::seal::{NotSealedHere, Purpose, Sealer};
use crate::model::ids::SessionNonce;
use crate::model::organization::AuthUrl;

/// How long a redirect may take.
pub const LIFE_SECONDS: i64 = 60;

/// A session on its way to an application's host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// The session.
    #[serde(rename = "s")]
    pub session: SessionNonce,
    /// Where it goes.
    #[serde(rename = "l")]
    pub landing: Landing,
    /// The way round the application's hosts that it is a step of.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub round: Option<Box<Round>>,
    #[serde(rename = "i")]
    issued: i64,
}

/// Why a ticket is not honoured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefused {
    /// Missing, forged, cut, or of another gateway.
    #[error("the ticket was not made here")]
    Foreign,
    /// Older than a minute.
    #[error("the ticket is older than a minute")]
    Expired,
}

impl Ticket {
    /// A ticket for a session.
    pub fn new(session: SessionNonce, landing: Landing, clock: &Clock) -> Self {
        Self {
            session,
            landing,
            round: None,
            issued: clock.now_seconds(),
        }
    }

    /// The same as a step of a way round.
    #[must_use]
    pub fn of(self, round: Round) -> Self {
        Self {
            round: Some(Box::new(round)),
            ..self
        }
    }

    /// The address on the application's host that honours it.
    pub fn address(&self, auth: &AuthUrl, sealer: &Sealer, clock: &Clock) -> String {
        let nonce = random::alphanumeric(16);
        // A struct of texts and numbers always has a JSON form.
        let plain = serde_json::to_vec(self).unwrap_or_default();
        let state = sealer.seal_text(Purpose::HandOver, nonce.as_bytes(), &plain, clock.now_ms());
        let origin = auth.origin_of(&self.landing.host);
        format!("{origin}/cdn-cgi/access/authorized?nonce={nonce}&state={state}")
    }

    /// Reads a ticket, however old it is.
    ///
    /// # Errors
    /// [`TicketRefused::Foreign`].
    pub(super) fn read(
        nonce: &str,
        state: &str,
        sealer: &Sealer,
        clock: &Clock,
    ) -> Result<Self, TicketRefused> {
        let plain = sealer.open_text(Purpose::HandOver, nonce.as_bytes(), state, clock.now_ms());
        plain
            .and_then(|plain| serde_json::from_slice(&plain).map_err(|_| NotSealedHere))
            .map_err(|_| TicketRefused::Foreign)
    }

    pub(super) fn is_fresh(&self, clock: &Clock) -> bool {
        clock.now_seconds().saturating_sub(self.issued) < LIFE_SECONDS
    }
}

/// What is spent when a ticket is honoured. The nonce is sealed in, so that it names one ticket.
pub fn spent_key(nonce: &str) -> Sha256 {
    sha256(format!("hand-over\n{nonce}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::login::landing::example;

    fn parts(address: &str) -> (String, String) {
        let url: url::Url = address.parse().unwrap();
        let value = |name| url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned();
        (value("nonce"), value("state"))
    }

    #[test]
    fn a_ticket_is_good_for_a_minute_with_its_own_nonce() {
        let (sealer, clock) = (Sealer::new(vec![7; 32].into(), "o"), Clock::system());
        let auth = AuthUrl::try_from("https://login.example.com".parse::<url::Url>().unwrap()).unwrap();
        let ticket = Ticket::new("6ei69kawdKzMIAPF".parse().unwrap(), example(), &clock);
        let address = ticket.address(&auth, &sealer, &clock);
        assert!(address.starts_with("https://wiki.example.com/cdn-cgi/access/authorized?nonce="));
        let (nonce, state) = parts(&address);
        let read = Ticket::read(&nonce, &state, &sealer, &clock);
        assert!(read == Ok(ticket.clone()) && ticket.is_fresh(&clock));
        assert_eq!(
            Ticket::read("aaaaaaaaaaaaaaaa", &state, &sealer, &clock),
            Err(TicketRefused::Foreign)
        );
        clock.advance(jiff::SignedDuration::from_secs(LIFE_SECONDS));
        assert!(!ticket.is_fresh(&clock));
    }
}
