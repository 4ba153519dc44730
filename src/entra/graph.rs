//! Microsoft Graph, as far as a login asks it: the groups of the person, the principal name, and the names of
//! authentication contexts; and what changed in a directory, for the background ([`delta`]).
//!
//! <https://learn.microsoft.com/graph/api/user-list-transitivememberof>, paging
//! <https://learn.microsoft.com/graph/paging>, throttling <https://learn.microsoft.com/graph/throttling>.

mod delta;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::aadsts::challenge;
use super::contexts::AuthenticationContext;
use super::discovery::base;
use super::outbound::{MAX_BODY, Outbound, retry_after};
use crate::model::identity::Group;
use crate::model::ids::ObjectId;

/// How long throttling is waited out.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Longest, all waits together.
    wait: Duration,
    /// Most repetitions.
    retries: u32,
    /// Of these, most where no answer came.
    unanswered: u32,
}

/// Patience in one login. A person sits in front of it.
const IN_A_LOGIN: Patience = Patience {
    wait: Duration::from_secs(10),
    retries: 5,
    unanswered: 0,
};
/// First wait where Graph names none; doubled each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Most pages: 50 × 999 groups is four times what Microsoft allows a person to be in.
const MAX_PAGES: usize = 50;

/// What is asked for, as the metrics call it.
const READ_GROUPS: &str = "transitive_member_of";
const READ_GROUP_IDS: &str = "get_member_groups";
const READ_ME: &str = "me";
const READ_CONTEXTS: &str = "authentication_contexts";
const READ_APPLICATION: &str = "application";

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
    patience: Patience,
    waited: Duration,
    retries: u32,
}

/// A client secret as Graph lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedSecret {
    /// Its first three characters.
    pub(super) hint: Option<String>,
    pub(super) ends: Option<Timestamp>,
}

impl ListedSecret {
    fn of_graph(entry: &Value) -> Self {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        Self {
            hint: text("hint").map(str::to_owned),
            ends: text("endDateTime").and_then(|at| at.parse().ok()),
        }
    }
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
    /// What changed since the last time is not known any more.
    #[error("Graph no longer knows what changed")]
    StartOver,
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
            patience: IN_A_LOGIN,
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

    /// The client secrets of an app registration: how each begins, and when it ends.
    /// <https://learn.microsoft.com/graph/api/application-get>
    pub(super) async fn secrets(&mut self, client_id: &str) -> Result<Vec<ListedSecret>, GraphFailed> {
        // It stands in a literal of the address; every client id of Entra's is a GUID.
        if uuid::Uuid::try_parse(client_id).is_err() {
            return Err(GraphFailed::Unsupported);
        }
        let address = format!(
            "{}/v1.0/applications(appId='{client_id}')?$select=passwordCredentials",
            base(self.address)
        );
        let application = self.ask(READ_APPLICATION, Method::GET, &address, None).await?;
        let listed = application.get("passwordCredentials").and_then(Value::as_array);
        let listed = listed.ok_or(GraphFailed::Malformed)?.iter();
        Ok(listed.map(ListedSecret::of_graph).collect())
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
                Some(next) => address = self.on_graph(next.as_str().ok_or(GraphFailed::Malformed)?)?,
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

    /// A link of Graph's, verbatim, if it leads to Graph: its query is Graph's own and is neither read nor written again.
    fn on_graph(&self, link: &str) -> Result<String, GraphFailed> {
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
        let answer = self.ask_whole(operation, method, address, body, MAX_BODY).await?;
        serde_json::from_slice(&answer).map_err(|_| GraphFailed::Malformed)
    }

    /// The same, with the bytes that were answered.
    async fn ask_whole(
        &mut self,
        operation: &'static str,
        method: Method,
        address: &str,
        body: Option<&Value>,
        max_body: usize,
    ) -> Result<Vec<u8>, GraphFailed> {
        loop {
            let request = self.request(method.clone(), address, body)?;
            let host = request.uri().host().unwrap_or_default().to_owned();
            let answer = match self.outbound.send_observed(operation, request, max_body).await {
                Ok(answer) => answer,
                Err(error) => {
                    let why = format!("{host}: {error}");
                    if !error.may_pass() || self.retries >= self.patience.unanswered {
                        return Err(GraphFailed::Unavailable(why));
                    }
                    self.wait(&why, None).await?;
                    continue;
                }
            };
            let status = answer.status();
            if status == StatusCode::OK {
                return Ok(answer.into_body());
            }
            if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Err(refusal(&answer));
            }
            self.wait(&format!("status {status}"), retry_after(answer.headers()))
                .await?;
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

    async fn wait(&mut self, why: &str, asked: Option<Duration>) -> Result<(), GraphFailed> {
        let pause = asked.unwrap_or(FIRST_WAIT * 2_u32.pow(self.retries));
        let Patience { wait, retries, .. } = self.patience;
        if self.retries >= retries || self.waited + pause > wait {
            return Err(GraphFailed::Unavailable(format!(
                "{why}, retried {} times",
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
        StatusCode::GONE => GraphFailed::StartOver,
        StatusCode::BAD_REQUEST if is_out_of_step(answer.body()) => GraphFailed::StartOver,
        StatusCode::BAD_REQUEST => GraphFailed::Unsupported,
        status => GraphFailed::Unavailable(format!("status {status}")),
    }
}

/// Whether a refusal says that a delta token has expired: for some lists Graph does so with 400 and not with 410
/// (<https://devblogs.microsoft.com/microsoft365dev/duration-of-change-tracking-tokens-for-identity-and-education-resources/>).
fn is_out_of_step(body: &[u8]) -> bool {
    let code = serde_json::from_slice::<Value>(body).ok();
    let code = code
        .as_ref()
        .and_then(|body| body.pointer("/error/code")?.as_str());
    code.is_some_and(|code| {
        let code = code.to_ascii_lowercase();
        code.starts_with("syncstate") || code.starts_with("resync")
    })
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
