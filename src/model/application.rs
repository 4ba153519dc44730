//! Self-hosted applications as Access describes them, and the settings that go beyond.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cors::Cors;
use super::destination::Destination;
use super::duration::GoDuration;
use super::ids::{AppId, AudTag, CustomPageId, IdpId, PolicyId};
use super::public_path::Overrides;
use super::service_token::CredentialHeader;
use super::web_address::WebAddress;

/// Access' default for how long an application token lives.
const DEFAULT_SESSION_HOURS: u32 = 24;

/// The type of an application that stands for the launcher, as Access calls it.
pub const LAUNCHER: &str = "app_launcher";

/// What the launcher is called where nobody says.
pub const LAUNCHER_NAME: &str = "App Launcher";

/// What whoever sets `skip_interstitial` is told. The reason stands at `login::transfer`.
pub const INTERSTITIAL_STAYS: &str =
    "the page that asks the person before a program gets tokens is shown all the same";

/// What whoever sets `auto_redirect_to_identity` is told where there is more than one provider to go to.
pub const STILL_CHOSEN: &str =
    "several identity providers are allowed, so that people choose among them all the same";

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// The application's id.
    pub id: AppId,
    /// Its audience tag.
    pub aud: AudTag,
    /// Its name, as people see it.
    pub name: String,
    /// The addresses it covers, the primary first.
    pub destinations: Vec<Destination>,
    /// How long an application token lives.
    pub session_duration: GoDuration,
    /// The providers people may sign in with; empty means all.
    pub allowed_idps: Vec<IdpId>,
    /// Whether the one allowed provider is gone to without a chooser; unset means yes.
    pub auto_redirect_to_identity: Option<bool>,
    /// Policies by precedence.
    pub policies: Vec<PolicyId>,
    /// Cookie attribute `HttpOnly`.
    pub http_only_cookie_attribute: bool,
    /// Cookie attribute `SameSite`; unset means `None` over https.
    pub same_site_cookie_attribute: Option<SameSite>,
    /// Whether the cookie's `Path` is the application's path. It is so in any case where applications share a host.
    pub path_cookie_attribute: bool,
    /// Text shown to a person who is refused.
    pub custom_deny_message: Option<String>,
    /// Ours: answer 401 with JSON instead of a redirect also to `Sec-Fetch-Mode: cors | no-cors` and to clients that
    /// do not accept HTML.
    pub unauthenticated_401: bool,
    /// Ours: origins besides the application's own that may open WebSockets.
    pub websocket_origins: Vec<String>,
    /// Ours: paths with an encoded slash are taken; both readings must then be permitted.
    pub allow_encoded_slash: bool,
    /// Ours: paths match without regard to case, for upstreams that read them so.
    pub case_insensitive_paths: bool,
    /// What other sites' scripts may do; the gateway answers their preflights.
    pub cors: Option<Cors>,
    /// Whether preflights of other sites' scripts go on to the application, without an identity.
    pub options_preflight_bypass: bool,
    /// Paths that are open to everybody.
    pub overrides: Vec<Overrides>,
    /// Whether a request that only machines could make pass is answered 401 instead of 403.
    pub service_auth_401_redirect: bool,
    /// Where people are sent who are refused for who they are.
    pub custom_deny_url: Option<WebAddress>,
    /// Where those are sent who are refused for where they ask from, or without signing in.
    pub custom_non_identity_deny_url: Option<WebAddress>,
    /// Pages of the operator's, shown to those who are refused.
    pub custom_pages: Vec<CustomPageId>,
    /// Whether our pages on its hosts may stand in frames.
    pub allow_iframe: bool,
    /// Whether a token is worth nothing without the second cookie of the browser it was made for.
    pub enable_binding_cookie: bool,
    /// Whether the first sign-in gives each of its hosts the cookie at once.
    pub eager_redirect_cookie_setting: bool,
    /// Ours: whether tokens name the person's groups, and how.
    pub token_groups: Option<TokenGroups>,
    /// Ours: the claims of the provider that tokens hold; unset means all that the provider is configured to copy.
    pub token_claims: Option<Vec<ClaimName>>,
    /// How the launcher shows it.
    pub launcher: Launcher,
    /// Whether the page that asks before a token goes to a command-line client is left out.
    pub skip_interstitial: bool,
    /// The one header in which this application takes both parts of a service token, besides the usual two.
    pub read_service_tokens_from_header: Option<CredentialHeader>,
}

impl Application {
    /// An application with Access' defaults, which covers no address and lets nobody in yet.
    pub fn new(id: AppId, aud: AudTag, name: impl Into<String>) -> Self {
        Self {
            id,
            aud,
            name: name.into(),
            destinations: Vec::new(),
            session_duration: GoDuration::hours(DEFAULT_SESSION_HOURS),
            allowed_idps: Vec::new(),
            auto_redirect_to_identity: None,
            policies: Vec::new(),
            http_only_cookie_attribute: true,
            same_site_cookie_attribute: None,
            path_cookie_attribute: false,
            custom_deny_message: None,
            unauthenticated_401: false,
            websocket_origins: Vec::new(),
            allow_encoded_slash: false,
            case_insensitive_paths: false,
            cors: None,
            options_preflight_bypass: false,
            overrides: Vec::new(),
            service_auth_401_redirect: false,
            custom_deny_url: None,
            custom_non_identity_deny_url: None,
            custom_pages: Vec::new(),
            allow_iframe: false,
            enable_binding_cookie: false,
            eager_redirect_cookie_setting: true,
            token_groups: None,
            token_claims: None,
            launcher: Launcher::default(),
            skip_interstitial: false,
            read_service_tokens_from_header: None,
        }
    }
}

/// How a token names groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenGroups {
    /// By object id.
    Ids,
    /// By display name, where it is known.
    Names,
}

/// The name of a claim that an application may be given in `custom`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClaimName(Box<str>);

/// A text that is no such name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimNameMalformed {
    /// No name, or none that a token could have.
    #[error("the name of a claim is needed, such as department")]
    Shape,
    /// Whoever reads tokens carelessly would take it for what the gateway says.
    #[error("the claim {0} is the gateway's own")]
    Reserved(String),
}

impl ClaimName {
    /// Longer names are no claim's.
    const LONGEST: usize = 100;
    /// The most claims of an application.
    pub const MOST: usize = 50;

    /// Claims that a token has by itself (RFC 7519 §4.1), or may come to have.
    const RESERVED: &'static [&'static str] = &[
        "aud",
        "iss",
        "sub",
        "exp",
        "iat",
        "nbf",
        "jti",
        "type",
        "email",
        "common_name",
        "identity_nonce",
        "country",
        "amr",
        "policy_id",
        "device_id",
        "custom",
        "epoch",
    ];

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClaimName {
    type Err = ClaimNameMalformed;

    fn from_str(text: &str) -> Result<Self, ClaimNameMalformed> {
        let plain = |c: char| !c.is_whitespace() && !c.is_control();
        if text.is_empty() || text.len() > Self::LONGEST || !text.chars().all(plain) {
            return Err(ClaimNameMalformed::Shape);
        }
        if Self::RESERVED.contains(&text.to_ascii_lowercase().as_str()) {
            return Err(ClaimNameMalformed::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for ClaimName {
    type Error = ClaimNameMalformed;
    fn try_from(text: String) -> Result<Self, ClaimNameMalformed> {
        text.parse()
    }
}

impl From<ClaimName> for String {
    fn from(name: ClaimName) -> String {
        name.0.into()
    }
}

/// How the launcher shows an application. None of it opens anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launcher {
    /// Whether it stands there at all (`app_launcher_visible`).
    pub visible: bool,
    /// Its picture.
    pub logo: Option<WebAddress>,
    /// What it is sorted by.
    pub tags: Vec<Tag>,
}

impl Default for Launcher {
    fn default() -> Self {
        Self {
            visible: true,
            logo: None,
            tags: Vec::new(),
        }
    }
}

/// A word that applications are sorted by in the launcher.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag(String);

/// A text that is no tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tag has 1 to {} visible characters", Tag::LONGEST)]
pub struct TagMalformed;

impl Tag {
    /// The most characters of a tag, as Access takes them.
    const LONGEST: usize = 35;
    /// The most tags of an application, as Access takes them.
    pub const MOST: usize = 25;

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Tag {
    type Err = TagMalformed;

    fn from_str(text: &str) -> Result<Self, TagMalformed> {
        let fine = !text.trim().is_empty()
            && text.chars().count() <= Self::LONGEST
            && !text.chars().any(char::is_control);
        fine.then(|| Self(text.to_owned())).ok_or(TagMalformed)
    }
}

impl TryFrom<String> for Tag {
    type Error = TagMalformed;
    fn try_from(text: String) -> Result<Self, TagMalformed> {
        text.parse()
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> String {
        tag.0
    }
}

/// The attribute `SameSite` of a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Sent cross-site, over https only.
    None,
    /// Sent on top-level navigation.
    Lax,
    /// Never sent cross-site.
    Strict,
}
