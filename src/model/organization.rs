//! The organization: who the gateway belongs to and where its auth host is.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::design::LoginDesign;
use super::duration::GoDuration;
use super::host::Host;
use super::ids::{AccountId, IdpId};
use super::refusals::Refusals;
use super::selector::Unevaluated;
use super::service_token::{ServiceTokenRules, UnusedTokens};

/// What whoever sets `deny_unmatched_requests` to false is told.
pub const STILL_DENIED: &str = "a request that no application covers is denied all the same";

/// The organization.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// Its name, as people see it on the pages.
    pub name: String,
    /// Where the auth host is.
    pub auth: AuthUrl,
    /// The account in API paths.
    pub account_id: AccountId,
    /// How long an organization session lives.
    pub session_duration: GoDuration,
    /// Whether signing out here also signs out at the identity provider.
    pub sign_out_at_provider: bool,
    /// Ours: a session that nobody uses for so long is over; unset means none is.
    pub idle_timeout: Option<GoDuration>,
    /// Ours: addresses besides our own hosts' that `returnTo` of a sign-out may name, each compared whole.
    pub logout_return_to: Vec<Url>,
    /// Whether a single provider is gone to without a chooser, where an application does not say; unset means yes.
    pub auto_redirect_to_identity: Option<bool>,
    /// Pages shown to people who are refused by applications that have none of their own.
    pub custom_pages: OrganizationPages,
    /// A further host on which programs may fetch their tokens: the one that cloudflared knows.
    pub transfer_host: Option<Host>,
    /// How service tokens are taken, and what becomes of those that nobody uses.
    pub service_tokens: ServiceTokenRules,
    /// Selectors that are taken although they are never evaluated here: always unknown.
    pub accept_unevaluated_selectors: BTreeSet<Unevaluated>,
    /// What people are told who are refused.
    pub refusals: Refusals,
    /// How long somebody may stay away until their seat is freed, [`SEAT_LEAST`] or more; unset means for ever.
    pub seat_expiration: Option<GoDuration>,
    /// What its pages wear.
    pub login_design: LoginDesign,
    /// After how many days another key signs, [`KEY_ROTATION_DAYS`].
    pub key_rotation_days: u16,
    /// Which of [`SETTINGS`] the configuration file says; those are not changed elsewhere.
    pub in_file: BTreeSet<String>,
}

/// The settings that may stand in the configuration file or be set through the API.
pub const SETTINGS: [&str; 7] = [
    "session_duration",
    "auto_redirect_to_identity",
    "strict_service_token_auth",
    "service_token_inactivity",
    "user_seat_expiration_inactive_time",
    "custom_pages",
    "login_design",
];

/// Somebody must stay away for a month at least until their seat is freed, as at Access.
pub const SEAT_LEAST: Duration = Duration::from_hours(730);
/// Ten years: longer is for ever, which is said by nothing.
pub const SEAT_MOST: Duration = Duration::from_hours(87_600);

/// The days between two rotations of the signing key that an organization may choose from.
pub const KEY_ROTATION_DAYS: std::ops::RangeInclusive<u16> = 21..=365;
/// The days unless it chooses: six weeks, as at Access.
pub const USUAL_KEY_ROTATION_DAYS: u16 = 42;

/// Settings of the organization that were made through the API; none of them need be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationSettings {
    /// [`Organization::session_duration`].
    pub session_duration: Option<GoDuration>,
    /// [`Organization::auto_redirect_to_identity`].
    pub auto_redirect_to_identity: Option<bool>,
    /// Whether [`ServiceTokenRules`] are strict.
    pub strict_service_token_auth: Option<bool>,
    /// What [`ServiceTokenRules`] say of tokens that nobody uses.
    pub service_token_inactivity: Option<UnusedTokens>,
    /// [`Organization::seat_expiration`].
    pub seat_expiration: Option<GoDuration>,
    /// [`Organization::custom_pages`], by id.
    pub custom_pages: Option<OrganizationPages>,
    /// [`Organization::login_design`].
    pub login_design: Option<LoginDesign>,
    /// [`Organization::key_rotation_days`].
    pub key_rotation_days: Option<u16>,
}

impl Organization {
    /// The organization with settings made through the API in the place of what the file leaves open.
    #[must_use]
    pub fn with(&self, settings: OrganizationSettings) -> Self {
        let mut with = self.clone();
        let open = |key: &str| !self.in_file.contains(key);
        if let Some(duration) = settings.session_duration.filter(|_| open("session_duration")) {
            with.session_duration = duration;
        }
        if let Some(redirect) = settings
            .auto_redirect_to_identity
            .filter(|_| open("auto_redirect_to_identity"))
        {
            with.auto_redirect_to_identity = Some(redirect);
        }
        if let Some(strict) = settings
            .strict_service_token_auth
            .filter(|_| open("strict_service_token_auth"))
        {
            with.service_tokens.strict = strict;
        }
        if let Some(inactivity) = settings
            .service_token_inactivity
            .filter(|_| open("service_token_inactivity"))
        {
            with.service_tokens.inactivity = inactivity.into();
        }
        if let Some(expiration) = settings
            .seat_expiration
            .filter(|_| open("user_seat_expiration_inactive_time"))
        {
            with.seat_expiration = Some(expiration);
        }
        if let Some(pages) = settings.custom_pages.filter(|_| open("custom_pages")) {
            with.custom_pages = pages;
        }
        if let Some(design) = settings.login_design.filter(|_| open("login_design")) {
            with.login_design = design;
        }
        if let Some(days) = settings.key_rotation_days {
            with.key_rotation_days = days;
        }
        with
    }
}

/// Pages of the operator's, by id or name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OrganizationPages {
    /// For people who are refused for who they are.
    pub identity_denied: Option<String>,
    /// For all others who are refused.
    pub forbidden: Option<String>,
}

/// Scheme, host and port of the auth host (Access: team domain). Application hosts inherit scheme and port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Url", into = "Url")]
pub struct AuthUrl {
    url: Url,
    host: Host,
}

/// Why a URL cannot be the auth host's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthUrlRefused {
    /// Not http or https, or without host.
    #[error("it must start with https:// and name a host")]
    NotHttp,
    /// Plain http for a host that others can reach: cookies could not be `Secure`.
    #[error("plain http is for loopback hosts only; use https")]
    PlainHttp,
    /// A path, query, fragment or user name.
    #[error("it must end after host and port")]
    MoreThanOrigin,
}

impl AuthUrl {
    /// The origin without trailing slash, such as `https://login.example.com`: the `iss` of our tokens.
    pub fn origin(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// The host, without port.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether pages are served over TLS, by us or by a proxy in front.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The origin of another host of this gateway, with the same scheme and port.
    pub fn origin_of(&self, host: &Host) -> String {
        match self.url.port() {
            Some(port) => format!("{}://{host}:{port}", self.url.scheme()),
            None => format!("{}://{host}", self.url.scheme()),
        }
    }

    /// An address on the auth host. `path_and_query` starts with a slash.
    pub fn address(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.origin())
    }

    /// Where the directory of a provider tells of its people (Access: `scim_base_url`).
    pub fn scim_base_url(&self, provider: IdpId) -> String {
        self.address(&format!("/populations/{provider}/scim/v2"))
    }

    /// The redirect address (RFC 6749 §3.1.2): where providers send the browser back to.
    pub fn callback(&self) -> Url {
        let mut callback = self.url.clone();
        callback.set_path("/cdn-cgi/access/callback");
        callback
    }
}

impl TryFrom<Url> for AuthUrl {
    type Error = AuthUrlRefused;

    fn try_from(url: Url) -> Result<Self, AuthUrlRefused> {
        let host: Host = url
            .host_str()
            .and_then(|host| host.parse().ok())
            .ok_or(AuthUrlRefused::NotHttp)?;
        match url.scheme() {
            "https" => {}
            "http" if host.is_loopback() => {}
            "http" => return Err(AuthUrlRefused::PlainHttp),
            _ => return Err(AuthUrlRefused::NotHttp),
        }
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare {
            return Err(AuthUrlRefused::MoreThanOrigin);
        }
        Ok(Self { url, host })
    }
}

impl From<AuthUrl> for Url {
    fn from(auth: AuthUrl) -> Url {
        auth.url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth(text: &str) -> Result<AuthUrl, AuthUrlRefused> {
        AuthUrl::try_from(text.parse::<Url>().unwrap())
    }

    #[test]
    fn application_hosts_inherit_scheme_and_port() {
        let auth = auth("http://login.localhost:8080").unwrap();
        assert_eq!(
            auth.origin_of(&"wiki.localhost".parse().unwrap()),
            "http://wiki.localhost:8080"
        );
        assert_eq!(
            auth.callback().as_str(),
            "http://login.localhost:8080/cdn-cgi/access/callback"
        );
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        assert_eq!(auth("http://login.example.com"), Err(AuthUrlRefused::PlainHttp));
        assert_eq!(
            auth("https://login.example.com/x"),
            Err(AuthUrlRefused::MoreThanOrigin)
        );
        assert_eq!(auth("ftp://login.example.com"), Err(AuthUrlRefused::NotHttp));
        assert!(auth("https://login.example.com").is_ok());
    }
}
