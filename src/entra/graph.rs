//! Microsoft Graph, as far as a login asks it: the groups of the person, the principal name, and the names of
//! authentication contexts.
//!
//! <https://learn.microsoft.com/graph/api/user-list-transitivememberof>, paging
//! <https://learn.microsoft.com/graph/paging>, throttling <https://learn.microsoft.com/graph/throttling>.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::aadsts::challenge;
use super::contexts::AuthenticationContext;
use super::discovery::base;
use super::outbound::{MAX_BODY, Outbound, retry_after};
use crate::model::identity::Group;
use crate::model::ids::ObjectId;

/// Longest wait on throttling in one login, all waits together. A person sits in front of it.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Most repetitions in one login.
const MAX_RETRIES: u32 = 5;
/// First wait where Graph names none; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Most pages: 50 × 999 groups is four times what Microsoft allows a person to be in.
const MAX_PAGES: usize = 50;

/// What is asked for, as the metrics call it.
const READ_GROUPS: &str = "transitive_member_of";
const READ_GROUP_IDS: &str = "get_member_groups";
const READ_ME: &str = "me";
const READ_CONTEXTS: &str = "authentication_contexts";

/// Every group, nested ones included. The cast and `$count` make it an advanced query, which needs `ConsistencyLevel`.
const GROUPS: &str = "transitiveMemberOf/microsoft.graph.group?$select=id,displayName&$top=999&$count=true";
/// Object ids only, for directories whose index cannot answer [`GROUPS`].
const GROUP_IDS: &str = "getMemberGroups";
/// <https://learn.microsoft.com/graph/api/conditionalaccessroot-list-authenticationcontextclassreferences>. It takes no
/// `$count`, and there are 99 at most.
const CONTEXTS: &str = "/v1.0/identity/conditionalAccess/authenticationContextClassReferences";
const ME: &str = "/v1.0/me?$select=id,userPrincipalName";

/// Graph on behalf of the person who is signing in, or of the application itself.
pub(super) struct Graph<'a> {
    /// Whose groups are asked for: `me`, or `users/` and the person's object.
    whose: String,
    outbound: &'a Outbound,
    address: &'a Url,
    token: &'a SecretString,
    waited: Duration,
    retries: u32,
}

/// Why Graph did not tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GraphFailed {
    /// A new login with these claims is needed (continuous access evaluation).
    #[error("Graph asks for a new sign-in")]
    ClaimsChallenge(String),
    /// Consent or permission is missing.
    #[error("Graph denied the request: grant admin consent for GroupMember.Read.All")]
    Denied,
    /// The token is not accepted.
    #[error("Graph does not accept the token")]
    Unauthorized,
    /// The query is not supported.
    #[error("Graph cannot answer the query")]
    Unsupported,
    /// Throttled for longer than a login may wait, down, or unreachable.
    #[error("Graph is unavailable: {0}")]
    Unavailable(String),
    /// A next page on another host: the token is not sent there.
    #[error("Graph named a next page on another host")]
    PageElsewhere,
    /// The list does not end.
    #[error("Graph's list has more than {MAX_PAGES} pages")]
    TooManyPages,
    /// Not what was asked for.
    #[error("Graph's answer is malformed")]
    Malformed,
}

impl<'a> Graph<'a> {
    pub(super) fn new(outbound: &'a Outbound, address: &'a Url, token: &'a SecretString) -> Self {
        Self {
            whose: "me".to_owned(),
            outbound,
            address,
            token,
            waited: Duration::ZERO,
            retries: 0,
        }
    }

    /// The same about somebody, with a token of the application's own.
    pub(super) fn about(self, person: ObjectId) -> Self {
        Self {
            whose: format!("users/{person}"),
            ..self
        }
    }

    /// The person's principal name.
    pub(super) async fn principal_name(&mut self) -> Result<Option<String>, GraphFailed> {
        let address = format!("{}{ME}", base(self.address));
        let me = self.ask(READ_ME, Method::GET, &address, None).await?;
        Ok(me
            .get("userPrincipalName")
            .and_then(Value::as_str)
            .map(str::to_owned))
    }

    /// Appends every group of the person. After a failure `groups` holds what had come before it.
    pub(super) async fn append_groups(&mut self, groups: &mut Vec<Group>) -> Result<(), GraphFailed> {
        match self.append_pages(groups).await {
            Err(GraphFailed::Unsupported) if groups.is_empty() => self.append_ids(groups).await,
            result => result,
        }
    }

    async fn append_pages(&mut self, groups: &mut Vec<Group>) -> Result<(), GraphFailed> {
        let list = format!("/v1.0/{}/{GROUPS}", self.whose);
        self.each_entry(READ_GROUPS, &list, |entry| {
            if is_group(entry) {
                groups.push(group(entry).ok_or(GraphFailed::Malformed)?);
            }
            Ok(())
        })
        .await
    }

    /// Every authentication context of the directory.
    pub(super) async fn authentication_contexts(
        &mut self,
    ) -> Result<Vec<AuthenticationContext>, GraphFailed> {
        let mut contexts = Vec::new();
        self.each_entry(READ_CONTEXTS, CONTEXTS, |entry| {
            contexts.push(AuthenticationContext::of_graph(entry).ok_or(GraphFailed::Malformed)?);
            Ok(())
        })
        .await?;
        Ok(contexts)
    }

    /// Shows every entry of a list, page after page.
    async fn each_entry(
        &mut self,
        operation: &'static str,
        list: &str,
        mut take: impl FnMut(&Value) -> Result<(), GraphFailed>,
    ) -> Result<(), GraphFailed> {
        let mut address = format!("{}{list}", base(self.address));
        for _ in 0..MAX_PAGES {
            let page = self.ask(operation, Method::GET, &address, None).await?;
            let entries = page
                .get("value")
                .and_then(Value::as_array)
                .ok_or(GraphFailed::Malformed)?;
            for entry in entries {
                take(entry)?;
            }
            // A page may be empty and still have a next one.
            match page.get("@odata.nextLink") {
                None => return Ok(()),
                Some(next) => address = self.next_page(next)?,
            }
        }
        Err(GraphFailed::TooManyPages)
    }

    async fn append_ids(&mut self, groups: &mut Vec<Group>) -> Result<(), GraphFailed> {
        let address = format!("{}/v1.0/{}/{GROUP_IDS}", base(self.address), self.whose);
        let body = json!({ "securityEnabledOnly": false });
        let answer = self
            .ask(READ_GROUP_IDS, Method::POST, &address, Some(&body))
            .await?;
        let ids = answer
            .get("value")
            .and_then(Value::as_array)
            .ok_or(GraphFailed::Malformed)?;
        for id in ids {
            let id = id.as_str().and_then(object_id).ok_or(GraphFailed::Malformed)?;
            groups.push(Group { id, name: None });
        }
        Ok(())
    }

    /// The next page, verbatim: its query is Graph's own and is neither read nor written again.
    fn next_page(&self, link: &Value) -> Result<String, GraphFailed> {
        let link = link.as_str().ok_or(GraphFailed::Malformed)?;
        let url = Url::parse(link).map_err(|_| GraphFailed::Malformed)?;
        let here =
            url.origin() == self.address.origin() && url.username().is_empty() && url.password().is_none();
        if here {
            Ok(link.to_owned())
        } else {
            Err(GraphFailed::PageElsewhere)
        }
    }

    /// One question, repeated while Graph asks for patience and there is some left.
    async fn ask(
        &mut self,
        operation: &'static str,
        method: Method,
        address: &str,
        body: Option<&Value>,
    ) -> Result<Value, GraphFailed> {
        loop {
            let request = self.request(method.clone(), address, body)?;
            let host = request.uri().host().unwrap_or_default().to_owned();
            let answer = self
                .outbound
                .send_observed(operation, request, MAX_BODY)
                .await
                .map_err(|error| GraphFailed::Unavailable(format!("{host}: {error}")))?;
            let status = answer.status();
            if status == StatusCode::OK {
                return serde_json::from_slice(answer.body()).map_err(|_| GraphFailed::Malformed);
            }
            if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Err(refusal(&answer));
            }
            self.wait(status, retry_after(answer.headers())).await?;
        }
    }

    fn request(
        &self,
        method: Method,
        address: &str,
        body: Option<&Value>,
    ) -> Result<Request<Vec<u8>>, GraphFailed> {
        let request = Request::builder()
            .method(method)
            .uri(address)
            .header(AUTHORIZATION, format!("Bearer {}", self.token.expose_secret()))
            .header(ACCEPT, "application/json")
            .header("ConsistencyLevel", "eventual")
            // Microsoft's support finds the request by it.
            .header("client-request-id", uuid::Uuid::new_v4().to_string());
        let request = match body {
            Some(body) => request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string().into_bytes()),
            None => request.body(Vec::new()),
        };
        request.map_err(|_| GraphFailed::Malformed)
    }

    async fn wait(&mut self, status: StatusCode, asked: Option<Duration>) -> Result<(), GraphFailed> {
        let pause = asked.unwrap_or(FIRST_WAIT * 2_u32.pow(self.retries));
        if self.retries >= MAX_RETRIES || self.waited + pause > MAX_WAIT {
            return Err(GraphFailed::Unavailable(format!(
                "status {status}, retried {} times",
                self.retries
            )));
        }
        self.retries += 1;
        self.waited += pause;
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn refusal(answer: &Response<Vec<u8>>) -> GraphFailed {
    match answer.status() {
        StatusCode::UNAUTHORIZED => match claims_challenge(answer.headers()) {
            Some(claims) => GraphFailed::ClaimsChallenge(claims),
            None => GraphFailed::Unauthorized,
        },
        StatusCode::FORBIDDEN => GraphFailed::Denied,
        StatusCode::BAD_REQUEST => GraphFailed::Unsupported,
        status => GraphFailed::Unavailable(format!("status {status}")),
    }
}

/// The claims of `WWW-Authenticate: Bearer …, error="insufficient_claims", claims="<base64>"`, decoded.
/// A challenge of another scheme may stand before it, in the same line or in one of its own.
/// <https://learn.microsoft.com/entra/identity-platform/claims-challenge>
fn claims_challenge(headers: &HeaderMap) -> Option<String> {
    let lines = headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .filter_map(|line| line.split_once("Bearer "))
        .filter(|(_, bearer)| bearer.contains(r#"error="insufficient_claims""#))
        .find_map(|(_, bearer)| {
            let (_, rest) = bearer.split_once(r#"claims=""#)?;
            let encoded = rest.split('"').next()?.trim_end_matches('=');
            let decoded = STANDARD_NO_PAD
                .decode(encoded)
                .or_else(|_| URL_SAFE_NO_PAD.decode(encoded))
                .ok()?;
            challenge(&String::from_utf8(decoded).ok()?)
        })
}

/// Without the cast the list also holds directory roles and administrative units; with it, entries carry no type.
fn is_group(entry: &Value) -> bool {
    entry
        .get("@odata.type")
        .is_none_or(|kind| kind == "#microsoft.graph.group")
}

/// With too few rights Graph leaves names `null` rather than refuse.
fn group(entry: &Value) -> Option<Group> {
    Some(Group {
        id: object_id(entry.get("id")?.as_str()?)?,
        name: entry
            .get("displayName")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

fn object_id(text: &str) -> Option<crate::model::ids::ObjectId> {
    text.parse().ok()
}

#[cfg(test)]
mod tests;
