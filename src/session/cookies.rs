//! Our cookies: names, attributes, and how they are read.

use cookie::{Cookie, SameSite as CookieSameSite};
use http::HeaderMap;
use http::HeaderValue;
use http::header::COOKIE;
use jiff::{SignedDuration, Timestamp};

use crate::model::application::{Application, SameSite};
pub use crate::model::cookie_names::{
    APP_SESSION, AUTHORIZATION, BINDING, HOST_AUTHORIZATION, HOST_SESSION, SESSION,
};
use crate::model::host::Host;
use crate::model::organization::AuthUrl;

/// How many cookies of one name are looked at; more are an attack or a mistake, and the rest is ignored.
pub const MAX_SAME_NAME: usize = 8;

/// Seconds that `CF_Session` lives: 4 hours.
pub const SESSION_SECONDS: i64 = 4 * 3600;
/// Seconds that `CF_AppSession` lives: 24 hours.
pub const APP_SESSION_SECONDS: i64 = 24 * 3600;

/// Name of the cookie that holds the organization token on the auth host.
pub fn organization_name(auth: &AuthUrl) -> &'static str {
    if auth.is_https() {
        HOST_AUTHORIZATION
    } else {
        AUTHORIZATION
    }
}

/// Name of the cookie that binds logins to the browser on the auth host.
pub fn session_name(auth: &AuthUrl) -> &'static str {
    if auth.is_https() { HOST_SESSION } else { SESSION }
}

/// The values of every cookie of exactly this name, at most [`MAX_SAME_NAME`].
///
/// The name is compared byte for byte: no trimming beyond the one space between pairs, no folding of case, no quoted
/// values, so that no look-alike of a prefixed name is taken for it.
pub fn values<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(move |pair| {
            let pair = pair.strip_prefix(' ').unwrap_or(pair);
            pair.strip_prefix(name)?.strip_prefix('=')
        })
        .take(MAX_SAME_NAME)
}

/// `Set-Cookie` for an application token, with the attributes the application asks for. `host` and `path` are those that
/// the token was asked for at. Lives from `now` for `seconds`.
pub fn set_application(
    application: &Application,
    auth: &AuthUrl,
    (host, path): (&Host, &str),
    token: &str,
    now: Timestamp,
    seconds: i64,
) -> Option<HeaderValue> {
    let own = own_path(application, host, path);
    let cookie = application_cookie(application, auth, own, token.to_owned(), seconds);
    // cloudflared takes no cookie without an `Expires` in the future; browsers go by `Max-Age`, whatever their clock.
    let ends = now.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    let ends = ends.strftime("%a, %d %b %Y %H:%M:%S GMT");
    HeaderValue::from_str(&format!("{}; Expires={ends}", header(&cookie)?.to_str().ok()?)).ok()
}

/// `Set-Cookie` for the cookie that binds an application token to the browser. It goes wherever the token's does, and no
/// script sees it.
pub fn set_binding(
    application: &Application,
    auth: &AuthUrl,
    (host, path): (&Host, &str),
    value: &str,
    seconds: i64,
) -> Option<HeaderValue> {
    let own = own_path(application, host, path);
    header(&binding_cookie(application, auth, own, value.to_owned(), seconds))
}

/// The longest of an application's paths on a host that covers an address.
fn own_path(application: &Application, host: &Host, path: &str) -> String {
    let own = own_paths(application, host).filter(|own| covers(own, path));
    own.max_by_key(String::len).unwrap_or_else(|| "/".to_owned())
}

/// `Set-Cookie`s that remove an application token from a host; attributes as when it was set, or browsers keep it.
pub fn remove_application(application: &Application, auth: &AuthUrl, host: &Host) -> Vec<HeaderValue> {
    let mut paths: Vec<String> = own_paths(application, host).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut gone = Vec::new();
    for path in paths {
        let token = application_cookie(application, auth, path.clone(), String::new(), 0);
        gone.extend(header(&token));
        if application.enable_binding_cookie {
            let binding = binding_cookie(application, auth, path, String::new(), 0);
            gone.extend(header(&binding));
        }
    }
    gone
}

fn application_cookie(
    application: &Application,
    auth: &AuthUrl,
    path: String,
    value: String,
    seconds: i64,
) -> Cookie<'static> {
    let mut cookie = base(AUTHORIZATION, value, seconds, auth);
    cookie.set_path(path);
    cookie.set_http_only(application.http_only_cookie_attribute);
    cookie.set_same_site(match application.same_site_cookie_attribute {
        // `None` needs `Secure`, which loopback http cannot give.
        None | Some(SameSite::None) if auth.is_https() => CookieSameSite::None,
        Some(SameSite::Strict) => CookieSameSite::Strict,
        _ => CookieSameSite::Lax,
    });
    cookie
}

fn binding_cookie(
    application: &Application,
    auth: &AuthUrl,
    path: String,
    value: String,
    seconds: i64,
) -> Cookie<'static> {
    let mut cookie = application_cookie(application, auth, path, value, seconds);
    cookie.set_name(BINDING);
    cookie.set_http_only(true);
    cookie
}

/// The paths that an application's cookies have on a host.
fn own_paths<'a>(application: &'a Application, host: &'a Host) -> impl Iterator<Item = String> + use<'a> {
    let here = application
        .destinations
        .iter()
        .filter(|destination| destination.covers_host(host));
    here.map(|destination| {
        if application.path_cookie_attribute {
            fixed_path(destination.path())
        } else {
            "/".to_owned()
        }
    })
}

/// Whether a browser sends a cookie of this path to an address (RFC 6265 §5.1.4).
fn covers(own: &str, path: &str) -> bool {
    let rest = path.strip_prefix(own);
    rest.is_some_and(|rest| own.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
}

/// The part of a path pattern that holds for all it covers: up to the segment with a wildcard.
fn fixed_path(pattern: &str) -> String {
    let fixed = match pattern.find('*') {
        Some(star) => pattern
            .get(..star)
            .and_then(|head| head.rfind('/'))
            .and_then(|slash| pattern.get(..slash)),
        None => Some(pattern),
    };
    fixed.filter(|path| !path.is_empty()).unwrap_or("/").to_owned()
}

/// `Set-Cookie` for the organization token on the auth host.
pub fn set_organization(auth: &AuthUrl, token: &str, seconds: i64) -> Option<HeaderValue> {
    header(&host_only(
        organization_name(auth),
        token.to_owned(),
        seconds,
        auth,
    ))
}

/// `Set-Cookie` that removes the organization token.
pub fn remove_organization(auth: &AuthUrl) -> Option<HeaderValue> {
    header(&host_only(organization_name(auth), String::new(), 0, auth))
}

/// `Set-Cookie` that binds logins to this browser on the auth host, for so long.
pub fn set_session(auth: &AuthUrl, value: &str, seconds: i64) -> Option<HeaderValue> {
    header(&host_only(session_name(auth), value.to_owned(), seconds, auth))
}

/// `Set-Cookie` that removes what bound a login to this browser.
pub fn remove_session(auth: &AuthUrl) -> Option<HeaderValue> {
    header(&host_only(session_name(auth), String::new(), 0, auth))
}

/// `Set-Cookie` that binds hand-overs to this browser on the application's host.
pub fn set_app_session(auth: &AuthUrl, value: &str) -> Option<HeaderValue> {
    header(&host_only(
        APP_SESSION,
        value.to_owned(),
        APP_SESSION_SECONDS,
        auth,
    ))
}

/// A cookie for this host alone, sent on top-level navigation.
fn host_only(name: &'static str, value: String, seconds: i64, auth: &AuthUrl) -> Cookie<'static> {
    let mut cookie = base(name, value, seconds, auth);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_same_site(CookieSameSite::Lax);
    cookie
}

fn base(name: &'static str, value: String, seconds: i64, auth: &AuthUrl) -> Cookie<'static> {
    let mut cookie = Cookie::new(name, value);
    // Not by `Expires`: a browser whose clock is wrong would drop the cookie at once.
    cookie.set_max_age(cookie::time::Duration::seconds(seconds));
    if auth.is_https() {
        cookie.set_secure(true);
    }
    cookie
}

fn header(cookie: &Cookie<'static>) -> Option<HeaderValue> {
    let mut text = cookie.to_string();
    let seconds = cookie.max_age().map_or(0, cookie::time::Duration::whole_seconds);
    if seconds <= 0 {
        // Some clients that are no browsers know only this way of removing.
        text.push_str("; Expires=Thu, 01 Jan 1970 00:00:01 GMT");
    }
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let headers = headers(&[
            "a=1; CF_Authorization=x; xCF_Authorization=no",
            "CF_Authorization=y",
        ]);
        assert_eq!(values(&headers, AUTHORIZATION).collect::<Vec<_>>(), ["x", "y"]);
    }

    /// Abuse case 41.
    #[test]
    fn look_alikes_of_a_prefixed_name_are_not_it() {
        let headers = headers(&[
            "$Version=1; $Path=/; x__Host-CF_Session=1; __host-CF_Session=1; =__Host-CF_Session=1;  __Host-CF_Session=1",
        ]);
        assert_eq!(values(&headers, HOST_SESSION).count(), 0);
    }

    /// Abuse case 42.
    #[test]
    fn no_more_than_a_few_cookies_of_one_name_are_read() {
        let line = "CF_Authorization=x; ".repeat(500);
        assert_eq!(values(&headers(&[&line]), AUTHORIZATION).count(), MAX_SAME_NAME);
    }

    #[test]
    fn on_the_auth_host_cookies_carry_the_host_prefix() {
        let auth = AuthUrl::try_from("https://login.example.com".parse::<url::Url>().unwrap()).unwrap();
        let set = set_organization(&auth, "t", 60).unwrap();
        assert_eq!(
            set.to_str().unwrap(),
            "__Host-CF_Authorization=t; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
    }

    fn application(changes: impl FnOnce(&mut Application)) -> Application {
        let mut application = Application {
            destinations: vec![
                "docs.example.com/a/*".parse().unwrap(),
                "*.example.com".parse().unwrap(),
            ],
            path_cookie_attribute: true,
            ..Application::new(
                crate::model::ids::AppId(uuid::Uuid::nil()),
                "0".repeat(64).parse().unwrap(),
                "Wiki",
            )
        };
        changes(&mut application);
        application
    }

    fn path_of(application: &Application, host: &str, path: &str) -> String {
        let auth = AuthUrl::try_from("https://login.example.com".parse::<url::Url>().unwrap()).unwrap();
        let set = set_application(
            application,
            &auth,
            (&host.parse().unwrap(), path),
            "t",
            jiff::Timestamp::UNIX_EPOCH,
            60,
        )
        .unwrap();
        let set = set.to_str().unwrap().to_owned();
        let path = set.split("; ").find_map(|part| part.strip_prefix("Path="));
        path.unwrap().to_owned()
    }

    #[test]
    fn a_cookie_has_the_path_of_the_address_that_it_was_asked_for_at() {
        let application = application(|_| {});
        assert_eq!(path_of(&application, "docs.example.com", "/a/b"), "/a");
        assert_eq!(path_of(&application, "docs.example.com", "/ab"), "/");
        assert_eq!(path_of(&application, "wiki.example.com", "/a/b"), "/");
    }

    #[test]
    fn without_the_attribute_a_cookie_is_for_the_whole_host() {
        let application = application(|application| application.path_cookie_attribute = false);
        assert_eq!(path_of(&application, "docs.example.com", "/a/b"), "/");
    }

    #[test]
    fn signing_out_removes_the_cookie_of_every_path() {
        let auth = AuthUrl::try_from("https://login.example.com".parse::<url::Url>().unwrap()).unwrap();
        let removed = remove_application(&application(|_| {}), &auth, &"docs.example.com".parse().unwrap());
        assert_eq!(removed.len(), 2);
        assert!(
            removed
                .iter()
                .all(|line| line.to_str().unwrap().contains("Max-Age=0"))
        );
    }
}
