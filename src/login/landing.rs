//! Where a login lands: the application, host and path that were asked for, and the browser that asked.

use serde::{Deserialize, Serialize};

use super::bounce::Bounces;
use super::fingerprint::Fingerprint;
use super::return_path::ReturnPath;
use crate::model::host::Host;
use crate::model::ids::AppId;
use crate::model::organization::AuthUrl;

/// Taken along through the whole chain in sealed texts. Field names are short: `state` is at most 1,500 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// The application.
    #[serde(rename = "a")]
    pub app: AppId,
    /// The exact host asked for, which may stand for a wildcard.
    #[serde(rename = "h")]
    pub host: Host,
    /// Path and query there.
    #[serde(rename = "p")]
    pub path: ReturnPath,
    /// The browser's `CF_AppSession` on that host.
    #[serde(rename = "s")]
    pub app_session: Fingerprint,
    /// How often the browser has been round.
    #[serde(rename = "b")]
    pub bounces: Bounces,
}

impl Landing {
    /// The address asked for, rebuilt from its parts.
    pub fn address(&self, auth: &AuthUrl) -> String {
        format!("{}{}", auth.origin_of(&self.host), self.path)
    }
}

#[cfg(test)]
pub(super) fn example() -> Landing {
    Landing {
        app: AppId(uuid::Uuid::from_u128(1)),
        host: "wiki.example.com".parse().unwrap(),
        path: ReturnPath::parse("/deep?x=1").unwrap(),
        app_session: Fingerprint::of("n0123456789abcdef"),
        bounces: Bounces::default(),
    }
}
