//! External evaluation: another service says whether a person may pass.

use url::{Host, Url};

use super::identity::Evaluation;

/// A service that is asked about people, as a rule names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalEvaluator {
    /// Where it is asked.
    pub evaluate_url: String,
    /// Where the keys are that its answers are signed with.
    pub keys_url: String,
}

impl ExternalEvaluator {
    /// Whether one may be at an address. Identities go there, and what comes back opens doors: https, or this very
    /// machine.
    pub fn may_be_at(address: &str) -> bool {
        let Ok(url) = address.parse::<Url>() else {
            return false;
        };
        let loopback = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(_)) | None => false,
        };
        let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
        scheme && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
    }

    /// Whether an evaluation is its own. Both addresses count: under other keys the same answer proves nothing.
    pub fn gave(&self, evaluation: &Evaluation) -> bool {
        self.evaluate_url == evaluation.evaluate_url && self.keys_url == evaluation.keys_url
    }
}
