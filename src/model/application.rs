//! Self-hosted applications as Access describes them, and the settings that go beyond.

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::duration::GoDuration;
use super::ids::{AppId, AudTag, IdpId, PolicyId};

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
