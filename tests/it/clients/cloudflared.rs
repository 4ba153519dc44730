//! cloudflared as far as it speaks to Access, written anew from its source (`token/token.go`, `token/transfer.go`,
//! `token/encrypt.go`, `cmd/cloudflared/access/cmd.go`, release 2026.8 and those before): which requests it makes, which
//! cookies it attaches, what it reads and where it stops.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use crypto_box::aead::Aead as _;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use serde_json::Value;
use url::Url;
use vestibule::crypto::random;

use crate::support::wire::{Dial, Reply};
use crate::support::world::World;

const AGENT: &str = "cloudflared/2026.8.0";
const LOGIN: &str = "/cdn-cgi/access/login";
const AUTHORIZED: &str = "/cdn-cgi/access/authorized";

/// One run of cloudflared.
pub(super) struct Cloudflared {
    via: Dial,
    scheme: &'static str,
    port: u16,
    pair: SecretKey,
}

/// `AppInfo` of `token.go`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AppInfo {
    pub(super) auth_domain: String,
    pub(super) aud: String,
    pub(super) app_hostname: String,
}

/// `transferServiceResponse` of `token.go`.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Tokens {
    pub(super) app_token: String,
    #[serde(default)]
    pub(super) org_token: String,
}

impl Cloudflared {
    pub(super) fn of(world: &World) -> Self {
        Self::at(world, 0)
    }

    /// One whose requests go to this gateway of several.
    pub(super) fn at(world: &World, gateway: usize) -> Self {
        Self {
            via: world.dial_of(gateway),
            scheme: world.scheme(),
            port: world.port(),
            pair: SecretKey::from(random::bytes::<32>()),
        }
    }

    pub(super) fn address(&self, host: &str, path: &str) -> Url {
        format!("{}://{host}:{}{path}", self.scheme, self.port)
            .parse()
            .unwrap()
    }

    /// `fetchMetadataJWT` and what `GetAppInfo` makes of it; `Err` is what it would print.
    pub(super) async fn app_info(&self, url: &Url) -> Result<AppInfo, String> {
        let asks = ("cf-access-metadata-request", "true");
        let reply = self.send("HEAD", url, &[asks]).await;
        let token = reply
            .header("cf-access-metadata")
            .ok_or("failed to find Access application")?;
        let claims: Value = unverified(token);
        let auth_domain = claims["auth_domain"].as_str().ok_or("no auth_domain")?.to_owned();
        let claims = self.verified(token, &auth_domain).await?;
        let host = claims["hostname"].as_str().unwrap_or_default();
        if !host.eq_ignore_ascii_case(url.host_str().unwrap()) {
            return Err(format!("hostname {host} does not match"));
        }
        if claims["type"] != "match" {
            return Err("type is not match".to_owned());
        }
        if claims["iat"].as_i64().unwrap_or(0) <= 0 {
            return Err("iat is missing".to_owned());
        }
        Ok(AppInfo {
            auth_domain,
            aud: claims["aud"].as_str().ok_or("no aud")?.to_owned(),
            app_hostname: claims["app_hostname"]
                .as_str()
                .ok_or("no app_hostname")?
                .to_owned(),
        })
    }

    /// `verifyMetadataWithRetry`: by the keys of the auth domain.
    async fn verified(&self, token: &str, auth_domain: &str) -> Result<Value, String> {
        let host = auth_domain.split(':').next().unwrap();
        let keys = self
            .send("GET", &self.address(host, "/cdn-cgi/access/certs"), &[])
            .await;
        let keys: Value = serde_json::from_slice(&keys.body).map_err(|_| "no keys")?;
        let kid = jsonwebtoken::decode_header(token.as_bytes())
            .unwrap()
            .kid
            .unwrap();
        let keys = keys["keys"].as_array().ok_or("no keys")?;
        let key = keys
            .iter()
            .find(|key| key["kid"] == kid.as_str())
            .ok_or("no key")?;
        let key = jsonwebtoken::DecodingKey::from_rsa_components(
            key["n"].as_str().unwrap(),
            key["e"].as_str().unwrap(),
        )
        .unwrap();
        let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        checks.validate_exp = false;
        checks.validate_aud = false;
        checks.required_spec_claims.clear();
        jsonwebtoken::decode(token.as_bytes(), &key, &checks)
            .map(|decoded| decoded.claims)
            .map_err(|error| error.to_string())
    }

    /// `GetAppInfo` before 2026.8: the redirect chain, as far as the answer of the login page.
    pub(super) async fn older_app_info(&self, url: &Url) -> Result<AppInfo, String> {
        let mut url = url.clone();
        for _ in 0..10 {
            let reply = self.send("HEAD", &url, &[]).await;
            let at_login = url.path().contains(LOGIN);
            if !at_login && let Some(next) = next(&url, &reply) {
                url = next;
                continue;
            }
            let kid = url.query_pairs().find(|(name, _)| name == "kid");
            let aud = if at_login {
                kid.map(|(_, kid)| kid.into_owned()).ok_or("Empty app aud")?
            } else {
                let header = reply.header("cf-access-aud");
                header.ok_or("failed to find Access application")?.to_owned()
            };
            let domain = reply.header("cf-access-domain").ok_or("Empty app domain")?;
            return Ok(AppInfo {
                auth_domain: url.host_str().unwrap().to_owned(),
                aud,
                app_hostname: domain.to_owned(),
            });
        }
        Err("stopped after 10 redirects".to_owned())
    }

    /// `exchangeOrgToken`: an application token for an organization token, without a browser.
    pub(super) async fn exchange(&self, url: &Url, org_token: &str) -> Option<String> {
        self.exchange_with(url, org_token, &[]).await
    }

    /// The same with further headers on every request.
    pub(super) async fn exchange_with(
        &self,
        url: &Url,
        org_token: &str,
        more: &[(&str, &str)],
    ) -> Option<String> {
        let (mut url, mut app_session, mut last) = (url.clone(), None, None);
        for _ in 0..10 {
            let mut headers = more.to_vec();
            let cookie;
            if url.path().contains(LOGIN) {
                cookie = format!("CF_Authorization={org_token}");
                headers.push(("Cookie", &cookie));
            } else if url.path().contains(AUTHORIZED)
                && let Some(session) = &app_session
            {
                cookie = format!("CF_AppSession={session}");
                headers.push(("Cookie", &cookie));
            }
            let reply = self.send("HEAD", &url, &headers).await;
            let seen = cookie_of(&reply, "CF_AppSession").map(|(value, _)| value);
            app_session = app_session.or(seen);
            let stops = url.path().contains(AUTHORIZED);
            let next = next(&url, &reply).filter(|_| !stops);
            last = Some(reply);
            match next {
                Some(next) => url = next,
                None => break,
            }
        }
        let (token, attributes) = cookie_of(&last?, "CF_Authorization")?;
        // `time.Now().Before(c.Expires)`: one without `Expires` has the zero time.
        attributes
            .contains("expires=")
            .then_some(token)
            .filter(|token| !token.is_empty())
    }

    /// `PublicKey` of `encrypt.go`.
    pub(super) fn public_key(&self) -> String {
        URL_SAFE.encode(self.pair.public_key().as_bytes())
    }

    /// `buildRequestURL`: what is opened in the browser.
    pub(super) fn request_url(&self, app_url: &Url, aud: &str) -> Url {
        let mut base = app_url.clone();
        base.query_pairs_mut()
            .append_pair("aud", aud)
            .append_pair("token", &self.public_key());
        let redirect = base.to_string();
        base.query_pairs_mut()
            .append_pair("edge_token_transfer", "true")
            .append_pair("redirect_url", &redirect)
            .append_pair("send_org_token", "true");
        base.set_path("/cdn-cgi/access/cli");
        base
    }

    /// One `poll`: the tokens, or `None` where they have not come.
    pub(super) async fn poll(&self, host: &str) -> Option<Tokens> {
        let reply = self.poll_once(host).await;
        assert!(reply.status < 500, "{}", reply.text());
        if reply.status != 200 {
            return None;
        }
        let service = reply.header("service-public-key").unwrap();
        let service: [u8; 32] = URL_SAFE.decode(service).unwrap().try_into().unwrap();
        let sealed = STANDARD.decode(&reply.body).unwrap();
        let (nonce, sealed) = sealed.split_at(24);
        let nonce: [u8; 24] = nonce.try_into().unwrap();
        let plain = SalsaBox::new(&PublicKey::from(service), &self.pair)
            .decrypt(&nonce.into(), sealed)
            .expect("the box is sealed for us");
        Some(serde_json::from_slice(&plain).unwrap())
    }

    pub(super) async fn poll_once(&self, host: &str) -> Reply {
        let url = self.address(host, &format!("/transfer/{}", self.public_key()));
        self.send("GET", &url, &[]).await
    }

    /// `isTokenValid`.
    pub(super) async fn token_is_valid(&self, url: &Url, token: &str) -> bool {
        let mut url = url.clone();
        url.query_pairs_mut()
            .append_pair("cloudflared_token_check", "true");
        let reply = self.send("GET", &url, &[("cf-access-token", token)]).await;
        let next = next(&url, &reply).filter(|_| reply.status == 302);
        !next.is_some_and(|next| next.path().starts_with(LOGIN))
    }

    /// One request as Go sends it: no `Accept`, no cookies of its own, no redirect followed.
    pub(super) async fn send(&self, method: &str, url: &Url, headers: &[(&str, &str)]) -> Reply {
        let host = url.host_str().unwrap();
        let mut wire = match host.parse() {
            // Entra has a plain address.
            Ok(address) => {
                let entra = (std::net::IpAddr::V4(address), url.port().unwrap());
                Dial::plain(entra.into()).connect(host).await
            }
            Err(_) => self.via.connect(host).await,
        };
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {AGENT}\r\nAccept-Encoding: gzip\r\n"
        );
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        wire.send(format!("{head}Connection: close\r\n\r\n")).await;
        let reply = wire.head().await.expect("an answer");
        Reply {
            body: if method == "HEAD" {
                Vec::new()
            } else {
                wire.body(&reply).await
            },
            ..reply
        }
    }
}

/// The payload of a token, unread by anybody who would check it.
pub(super) fn unverified(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn next(url: &Url, reply: &Reply) -> Option<Url> {
    let location = reply
        .header("location")
        .filter(|_| matches!(reply.status, 301..=303 | 307 | 308))?;
    Some(url.join(location).unwrap())
}

/// A cookie that is set, with its attributes in lower case.
fn cookie_of(reply: &Reply, name: &str) -> Option<(String, String)> {
    reply.all("set-cookie").find_map(|line| {
        let (value, attributes) = line.strip_prefix(name)?.strip_prefix('=')?.split_once(';')?;
        Some((value.to_owned(), attributes.to_ascii_lowercase()))
    })
}
