//! Which application an address belongs to, and whose auth host signs people in for it.
//!
//! # Whom to believe
//! The address names an auth host, and any address may name any. So nothing of it counts until the auth host itself has
//! said that the application of *this host* has *this audience*: by its signature under the metadata, or by its own
//! answer at the login page. Otherwise a page of somebody's could pass for an application of another's organization, get
//! a token made out for that one, and be sent it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use super::address::AppAddress;
use super::tokens::Keys;
use super::trouble::Trouble;
use super::web::Web;
use crate::clock::Clock;
use crate::model::destination::Destination;
use crate::model::ids::AudTag;
use crate::model::organization::AuthUrl;

/// The oldest metadata that is believed, in seconds, and how far a clock may be behind: as cloudflared has it.
const OLDEST: i64 = 24 * 3600;
const AHEAD: i64 = 5 * 60;
/// Redirects on the way to a login page: it is the first or, after one of the application's own, the second.
const MOST_REDIRECTS: usize = 5;
/// Where the login page is on every auth host.
const LOGIN: &str = "/cdn-cgi/access/login";
/// The document that names the auth host of a resource.
const RESOURCE: &str = "/.well-known/cloudflare-access-protected-resource";

/// An application, as its auth host knows it.
#[derive(Debug)]
pub(super) struct Application {
    /// The address that was typed.
    pub(super) address: AppAddress,
    /// The auth host.
    pub(super) auth: AuthUrl,
    /// Whom tokens for it must name.
    pub(super) aud: AudTag,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "type")]
    kind: String,
    hostname: String,
    auth_domain: String,
    aud: AudTag,
    iat: i64,
}

/// What is read of the document.
#[derive(Deserialize)]
struct Resource {
    authorization_servers: [Url; 1],
}

/// Asks the address.
pub(super) async fn application(
    web: &Web,
    address: &AppAddress,
    clock: &Clock,
) -> Result<Application, Trouble> {
    let reply = web
        .head(address.url(), &[("cf-access-metadata-request", "true")])
        .await?;
    match reply.header("cf-access-metadata") {
        Some(text) => by_metadata(web, address, text, clock.now_seconds()).await,
        None => by_login_page(web, address).await,
    }
}

async fn by_metadata(web: &Web, address: &AppAddress, text: &str, now: i64) -> Result<Application, Trouble> {
    let claimed = unverified(text).ok_or_else(|| untrusted(address, "its metadata cannot be read"))?;
    let auth = auth_url(address, &claimed.auth_domain)?;
    let keys = Keys::of(web, &auth).await?;
    let metadata: Metadata = keys
        .verify_timeless(text)
        .ok_or_else(|| untrusted(address, "its metadata is not signed by the auth host it names"))?;
    check(&metadata, address, now).map_err(|why| untrusted(address, why))?;
    Ok(Application {
        address: address.clone(),
        auth,
        aud: metadata.aud,
    })
}

fn check(metadata: &Metadata, address: &AppAddress, now: i64) -> Result<(), &'static str> {
    if metadata.kind != "match" {
        return Err("its metadata is of another kind");
    }
    if !metadata.hostname.eq_ignore_ascii_case(address.host().as_str()) {
        return Err("its metadata is about another host");
    }
    let age = now.saturating_sub(metadata.iat);
    if metadata.iat <= 0 || !(-AHEAD..=OLDEST).contains(&age) {
        return Err("its metadata is of another time; is the clock right?");
    }
    Ok(())
}

/// Before there was metadata: the document names the auth host, the redirects lead there, and the login page says which
/// application it is for. Of the three only the last is the auth host's own word.
async fn by_login_page(web: &Web, address: &AppAddress) -> Result<Application, Trouble> {
    let none = || {
        Trouble::Refused(format!(
            "there is no application that needs a sign-in at {address}"
        ))
    };
    let path = address.url().path().trim_end_matches('/');
    let document = web
        .get(&address.at(&format!("{RESOURCE}{path}"), &[]), &[])
        .await?;
    let Resource {
        authorization_servers: [server],
    } = serde_json::from_slice(&document.body).map_err(|_| none())?;
    let auth = AuthUrl::try_from(server)
        .map_err(|_| untrusted(address, "what it names as its auth host cannot be one"))?;
    let (mut url, mut reply) = (address.url().clone(), web.head(address.url(), &[]).await?);
    for _ in 0..MOST_REDIRECTS {
        if url.path().starts_with(LOGIN) {
            break;
        }
        url = reply.location(&url).ok_or_else(none)?;
        secure(&url).map_err(|why| untrusted(address, why))?;
        reply = web.head(&url, &[]).await?;
    }
    let own: Url = auth.clone().into();
    if !url.path().starts_with(LOGIN) || url.origin() != own.origin() {
        return Err(none());
    }
    let aud = reply.header("cf-access-aud").map(str::to_owned).or_else(|| {
        let mut query = url.query_pairs();
        query
            .find(|(name, _)| name == "kid")
            .map(|(_, aud)| aud.into_owned())
    });
    let aud = aud.and_then(|aud| aud.parse().ok()).ok_or_else(none)?;
    let domain: Destination = reply
        .header("cf-access-domain")
        .and_then(|domain| domain.parse().ok())
        .ok_or_else(none)?;
    if !domain.covers_host(address.host()) {
        return Err(untrusted(address, "its login page is for another application"));
    }
    Ok(Application {
        address: address.clone(),
        auth,
        aud,
    })
}

/// No step may lead off TLS.
pub(super) fn secure(url: &Url) -> Result<(), &'static str> {
    let fine = url.as_str().parse::<AppAddress>().is_ok();
    if fine {
        Ok(())
    } else {
        Err("it redirects to an address that is not https")
    }
}

/// The auth host of a domain: https, or on this machine the scheme of the address.
fn auth_url(address: &AppAddress, domain: &str) -> Result<AuthUrl, Trouble> {
    let refused = || untrusted(address, "what it names as its auth host cannot be one");
    // URLs are read leniently: further slashes before the host would be passed over.
    if domain.contains(['/', '\\', '@', '?', '#']) {
        return Err(refused());
    }
    let url: Url = format!("{}://{domain}", address.url().scheme())
        .parse()
        .map_err(|_| refused())?;
    AuthUrl::try_from(url).map_err(|_| refused())
}

fn unverified(text: &str) -> Option<Metadata> {
    let payload = text.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn untrusted(address: &AppAddress, why: &str) -> Trouble {
    Trouble::Untrusted(format!("{address} is not to be trusted: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_for_its_host_and_its_time() {
        let address: AppAddress = "https://wiki.example.com/a".parse().unwrap();
        let metadata = |kind: &str, hostname: &str, iat: i64| Metadata {
            kind: kind.to_owned(),
            hostname: hostname.to_owned(),
            auth_domain: "login.example.com".to_owned(),
            aud: "0".repeat(64).parse().unwrap(),
            iat,
        };
        let now = 1_767_226_200;
        let good = |metadata: Metadata| check(&metadata, &address, now).is_ok();
        assert!(good(metadata("match", "WIKI.example.com", now)));
        assert!(good(metadata("match", "wiki.example.com", now - OLDEST)));
        assert!(!good(metadata("match", "wiki.example.com", now - OLDEST - 1)));
        assert!(!good(metadata("match", "wiki.example.com", now + AHEAD + 1)));
        assert!(!good(metadata("match", "wiki.example.com", 0)));
        assert!(!good(metadata("match", "evil.example.com", now)));
        assert!(!good(metadata("app", "wiki.example.com", now)));
    }

    #[test]
    fn an_auth_host_is_on_https_or_on_this_machine() {
        let there: AppAddress = "https://wiki.example.com".parse().unwrap();
        assert_eq!(
            auth_url(&there, "login.example.com").unwrap().origin(),
            "https://login.example.com"
        );
        for wrong in ["", "a/b", "a?b", "user@host", "a b", "//x"] {
            assert!(auth_url(&there, wrong).is_err(), "{wrong}");
        }
        let here: AppAddress = "http://wiki.localhost:8080".parse().unwrap();
        assert!(auth_url(&here, "login.localhost:8080").is_ok());
        assert!(auth_url(&here, "login.example.com").is_err());
    }
}
