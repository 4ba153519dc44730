//! The metadata document of a directory: where its endpoints are.
//!
//! <https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc>. The document only confirms what is already
//! known: the issuer must be the one expected of cloud and directory, and every endpoint must lie on the cloud's login
//! host. So a document from elsewhere cannot lead a secret or a person away.

use http::header::DATE;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde::Deserialize;
use url::Url;

use super::errors::{AadstsAnswer, EntraError};
use super::outbound::{Outbound, retry_after};
use crate::model::idp::{Cloud, EntraSettings};
use crate::model::ids::TenantId;

/// Largest metadata document or key set. Real ones have 2 kB and 20 kB.
pub(super) const MAX_DOCUMENT: usize = 1024 * 1024;

/// A directory in a cloud, and the app whose own keys are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Directory {
    pub(super) login: Url,
    pub(super) graph: Url,
    pub(super) tenant: TenantId,
    pub(super) instance_name: Option<String>,
    /// `?appid=`: the key set of an app with a claims-mapping signing key.
    pub(super) app: Option<String>,
}

/// The endpoints of a directory, checked.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) end_session_endpoint: Option<Url>,
    pub(super) instance_name: Option<String>,
    /// The host of Graph that the document names.
    pub(super) graph_host: Option<String>,
}

/// What of the document is read. PKCE and `private_key_jwt` work though Microsoft does not advertise all of it.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    end_session_endpoint: Option<Url>,
    cloud_instance_name: Option<String>,
    msgraph_host: Option<String>,
}

impl Directory {
    pub(super) fn of(settings: &EntraSettings) -> Self {
        let cloud: &Cloud = &settings.cloud;
        Self {
            login: cloud.login.clone(),
            graph: cloud.graph.clone(),
            tenant: settings.directory_id,
            instance_name: cloud.instance_name.clone(),
            app: settings.custom_signing_key.then(|| settings.client_id.clone()),
        }
    }

    /// The `iss` of every token of this directory.
    pub(super) fn issuer(&self) -> String {
        format!("{}/{}/v2.0", base(&self.login), self.tenant)
    }

    /// Where the sign-out page is, whether or not the document has been read.
    pub(super) fn end_session_address(&self) -> String {
        format!("{}/{}/oauth2/v2.0/logout", base(&self.login), self.tenant)
    }

    fn address(&self) -> String {
        let document = format!("{}/.well-known/openid-configuration", self.issuer());
        match &self.app {
            Some(app) => {
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("appid", app)
                    .finish();
                format!("{document}?{query}")
            }
            None => document,
        }
    }
}

/// A base address without its trailing slash.
pub(super) fn base(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

/// Fetches and checks the document.
pub(super) async fn fetch(outbound: Outbound, directory: Directory) -> Result<Metadata, EntraError> {
    let body = get(&outbound, &directory.address(), "the directory's metadata").await?;
    parse(&body, &directory)
}

/// Fetches and checks the document, and tells the time that the answer names (`Date`, RFC 9110 §6.6.1), in seconds
/// since 1970.
pub(super) async fn fetch_dated(
    outbound: &Outbound,
    directory: &Directory,
) -> (Result<Metadata, EntraError>, Option<i64>) {
    const WHAT: &str = "the directory's metadata";
    let (host, answer) = match ask(outbound, &directory.address(), WHAT).await {
        Ok(answered) => answered,
        Err(error) => return (Err(error), None),
    };
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let parser = DateTimeParser::new();
    let date = date.and_then(|date| parser.parse_timestamp(date).ok());
    let body = read(&host, answer, WHAT);
    (
        body.and_then(|body| parse(&body, directory)),
        date.map(Timestamp::as_second),
    )
}

/// Gets a JSON document of the login host.
pub(super) async fn get(
    outbound: &Outbound,
    address: &str,
    what: &'static str,
) -> Result<Vec<u8>, EntraError> {
    let (host, answer) = ask(outbound, address, what).await?;
    read(&host, answer, what)
}

/// Asks for it, whatever the answer; with the host that was asked.
async fn ask(
    outbound: &Outbound,
    address: &str,
    what: &'static str,
) -> Result<(String, Response<Vec<u8>>), EntraError> {
    let unavailable = |reason: String| EntraError::Unavailable {
        what,
        reason,
        retry_after: None,
    };
    let request = Request::get(address)
        .header(http::header::ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|error| unavailable(error.to_string()))?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let answer = outbound
        .send(request, MAX_DOCUMENT)
        .await
        .map_err(|error| unavailable(format!("{host}: {error}")))?;
    Ok((host, answer))
}

fn read(host: &str, answer: Response<Vec<u8>>, what: &'static str) -> Result<Vec<u8>, EntraError> {
    if answer.status() == StatusCode::OK {
        return Ok(answer.into_body());
    }
    // An unknown directory is told by status 400 with AADSTS90002: that is an operator's matter, not an outage.
    Err(match AadstsAnswer::from_body(answer.status(), answer.body()) {
        Some(refusal) => EntraError::Refused(Box::new(refusal)),
        None => EntraError::Unavailable {
            what,
            reason: format!("{host} answered with status {}", answer.status()),
            retry_after: retry_after(answer.headers()),
        },
    })
}

fn parse(body: &[u8], directory: &Directory) -> Result<Metadata, EntraError> {
    let document: Document = serde_json::from_slice(body).map_err(|error| EntraError::Unavailable {
        what: "the directory's metadata",
        // Position and kind of the fault; serde_json repeats no more of the document than a member's name.
        reason: format!(
            "no metadata document (line {}, column {})",
            error.line(),
            error.column()
        ),
        retry_after: None,
    })?;
    let expected = directory.issuer();
    if document.issuer != expected {
        return Err(EntraError::Misconfigured(format!(
            "the metadata names another issuer than {expected}: directory_id must be the GUID of one directory, \
             and azure_cloud its cloud"
        )));
    }
    let endpoints = [
        ("authorization_endpoint", Some(&document.authorization_endpoint)),
        ("token_endpoint", Some(&document.token_endpoint)),
        ("jwks_uri", Some(&document.jwks_uri)),
        ("end_session_endpoint", document.end_session_endpoint.as_ref()),
    ];
    for (name, endpoint) in endpoints {
        if endpoint.is_some_and(|endpoint| endpoint.origin() != directory.login.origin()) {
            return Err(EntraError::Misconfigured(format!(
                "{name} of the metadata lies outside the cloud's login host"
            )));
        }
    }
    warn_of_another_graph(directory, document.msgraph_host.as_deref());
    Ok(Metadata {
        issuer: document.issuer,
        authorization_endpoint: document.authorization_endpoint,
        token_endpoint: document.token_endpoint,
        jwks_uri: document.jwks_uri,
        end_session_endpoint: document.end_session_endpoint,
        instance_name: document
            .cloud_instance_name
            .or_else(|| directory.instance_name.clone()),
        graph_host: document.msgraph_host,
    })
}

/// The two clouds of the US government share a login host; only Graph tells them apart, and its refusal would be hard to read.
fn warn_of_another_graph(directory: &Directory, named: Option<&str>) {
    let configured = directory.graph.host_str();
    if let (Some(named), Some(configured)) = (named, configured)
        && is_another_host(named, configured)
    {
        tracing::warn!(
            tenant = %directory.tenant, configured, named,
            "The directory's Graph is at {named}: azure_cloud seems to be another cloud"
        );
    }
}

/// Whether a host that is named, perhaps with a port, is another one than that configured.
pub(super) fn is_another_host(named: &str, configured: &str) -> bool {
    named.split(':').next() != Some(configured)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::clouds::builtin;

    const TENANT: &str = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60";

    fn directory(cloud: &str) -> Directory {
        let cloud = builtin().remove(cloud).unwrap();
        Directory {
            login: cloud.login,
            graph: cloud.graph,
            tenant: TENANT.parse().unwrap(),
            instance_name: cloud.instance_name,
            app: None,
        }
    }

    const PUBLIC: &str = include_str!("../../tests/fixtures/entra/discovery/public_tenant_v2.json");

    #[test]
    fn the_document_of_each_cloud_is_accepted_in_its_cloud_only() {
        let documents = [
            ("default", PUBLIC),
            (
                "china",
                include_str!("../../tests/fixtures/entra/discovery/china_tenant_v2.json"),
            ),
            (
                "us_gov",
                include_str!("../../tests/fixtures/entra/discovery/usgov_gcchigh_tenant_v2.json"),
            ),
        ];
        for (cloud, document) in documents {
            for (other, _) in documents {
                let parsed = parse(document.as_bytes(), &directory(other));
                assert_eq!(
                    parsed.is_ok(),
                    cloud == other,
                    "{cloud} read as {other}: {parsed:?}"
                );
            }
        }
    }

    #[test]
    fn clouds_are_those_of_the_published_table() {
        let table = include_str!("../../tests/fixtures/entra/discovery/clouds.json");
        let table: serde_json::Value = serde_json::from_str(table).unwrap();
        for row in table["clouds"].as_array().unwrap() {
            let key = row["key"].as_str().unwrap();
            let Some(cloud) = builtin().remove(key) else {
                // The closed cloud of Germany, and the one whose Graph nobody has published.
                assert!(matches!(key, "germany_legacy" | "sg_gov"), "{key}");
                continue;
            };
            assert_eq!(cloud.login.host_str(), row["login_host"].as_str(), "{key}");
            assert_eq!(cloud.graph.host_str(), row["graph_host"].as_str(), "{key}");
            let instance_name = row["cloud_instance_name"].as_str();
            assert_eq!(cloud.instance_name.as_deref(), instance_name, "{key}");
            if let Some(audience) = row["fic_audience"].as_str() {
                assert_eq!(cloud.federation_audience, audience, "{key}");
            }
        }
    }

    #[test]
    fn the_template_of_common_is_no_issuer() {
        let common = include_str!("../../tests/fixtures/entra/discovery/public_common_v2.json");
        assert!(matches!(
            parse(common.as_bytes(), &directory("default")),
            Err(EntraError::Misconfigured(_))
        ));
    }

    #[test]
    fn an_endpoint_elsewhere_is_refused() {
        for name in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "end_session_endpoint",
        ] {
            for elsewhere in [
                "https://login.evil.example/x",
                "http://login.microsoftonline.com/x",
            ] {
                let mut document: serde_json::Value = serde_json::from_str(PUBLIC).unwrap();
                document[name] = elsewhere.into();
                let parsed = parse(document.to_string().as_bytes(), &directory("default"));
                assert!(
                    matches!(parsed, Err(EntraError::Misconfigured(_))),
                    "{name} {elsewhere}"
                );
            }
        }
    }

    /// The operator looks at a firewall first, and has to know for which host.
    #[tokio::test]
    async fn a_host_that_cannot_be_reached_is_named() {
        let outbound = Outbound::new().unwrap();
        let got = get(&outbound, "https://127.0.0.1:1/x", "the directory's keys").await;
        let told = got.unwrap_err().to_string();
        assert_eq!(
            told,
            "the directory's keys could not be read: 127.0.0.1: no connection"
        );
    }

    #[test]
    fn an_app_with_its_own_key_is_named_in_the_address() {
        let mut own = directory("default");
        own.app = Some("3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516".to_owned());
        assert_eq!(
            own.address(),
            format!(
                "https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration?appid=3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516"
            )
        );
        let document = include_str!("../../tests/fixtures/entra/discovery/public_tenant_v2_appid.json");
        assert!(
            parse(document.as_bytes(), &own)
                .unwrap()
                .jwks_uri
                .query()
                .is_some()
        );
    }
}
