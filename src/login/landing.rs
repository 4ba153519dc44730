//! Where a login lands: the application, host and path that were asked for, and the browser that asked.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bounce::Bounces;
use super::fingerprint::Fingerprint;
use super::return_path::ReturnPath;
use crate::model::certificate::{ClientCertificate, VerifiedCertificate};
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
    /// What the application's host knows of the browser's certificate, which the auth host is not shown.
    #[serde(rename = "c", default, skip_serializing_if = "Carried::is_unknown")]
    pub certificate: Carried,
    /// How often the browser has been round.
    #[serde(rename = "b")]
    pub bounces: Bounces,
}

/// A certificate as far as policies ask for it. It opens nothing by itself: the application's host asks its own
/// connection once more, at the end of the login and at each request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Carried {
    /// Nothing is known of any.
    #[default]
    #[serde(rename = "u")]
    Unknown,
    /// None came that counts.
    #[serde(rename = "n")]
    Absent,
    /// One came that counts, of this common name.
    #[serde(rename = "v")]
    Verified(Option<String>),
}

impl Carried {
    /// What policies are told on the auth host.
    pub fn certificate(&self) -> ClientCertificate {
        match self {
            Self::Unknown => ClientCertificate::Unknown,
            Self::Absent => ClientCertificate::Absent,
            Self::Verified(common_name) => ClientCertificate::Verified(Arc::new(VerifiedCertificate {
                common_name: common_name.clone(),
                issuer: String::new(),
                issuer_key: String::new(),
                serial: String::new(),
                fingerprint: String::new(),
                expires_ms: i64::MAX,
            })),
        }
    }

    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl From<&ClientCertificate> for Carried {
    fn from(certificate: &ClientCertificate) -> Self {
        match certificate {
            ClientCertificate::Unknown => Self::Unknown,
            ClientCertificate::Absent => Self::Absent,
            ClientCertificate::Verified(verified) => Self::Verified(verified.common_name.clone()),
        }
    }
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
        certificate: Carried::default(),
        bounces: Bounces::default(),
    }
}
