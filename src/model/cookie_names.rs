//! Names of our cookies. No upstream sees them, but for the one token that a request was let in by, and none may set
//! them.

/// Holds the application token on application hosts and, on loopback http, the organization token on the auth host.
pub const AUTHORIZATION: &str = "CF_Authorization";
/// Holds the organization token on the auth host. The prefix keeps sibling hosts from planting one (RFC 6265bis §4.1.3.2).
pub const HOST_AUTHORIZATION: &str = "__Host-CF_Authorization";
/// Binds the login to the browser on the auth host, over loopback http.
pub const SESSION: &str = "CF_Session";
/// Binds the login to the browser on the auth host.
pub const HOST_SESSION: &str = "__Host-CF_Session";
/// Binds the hand-over to the browser on the application's host.
pub const APP_SESSION: &str = "CF_AppSession";
/// Counts the bounces between an application and its login.
pub const BOUNCE: &str = "CF_Bounce";

/// Binds the application token to the browser, where an application asks for that.
pub const BINDING: &str = "CF_Binding";
/// How the names on the auth host begin.
const HOST_PREFIX: &[u8] = b"__Host-CF_";

/// Whether a cookie of this name is ours. Names are compared byte for byte, as browsers do.
pub fn is_ours(name: &[u8]) -> bool {
    [AUTHORIZATION, SESSION, APP_SESSION, BOUNCE, BINDING]
        .iter()
        .any(|own| own.as_bytes() == name)
        || name.starts_with(HOST_PREFIX)
}
