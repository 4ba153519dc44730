//! What is written down of a round: a row for everything it did, as if it had been a request of SCIM.

use std::net::{IpAddr, Ipv4Addr};

use crate::clock::Clock;
use crate::model::ids::IdpId;
use crate::session::effects::in_words;
use crate::store::{Consequences, GroupWritten, Journal, ScimUpdate, Store, UserWritten};

/// Refusals written at once.
const AT_ONCE: usize = 200;
/// Longest body of a row, in characters.
const LONGEST_BODY: usize = 16 * 1024;

/// Makes the rows of a round. What it did the store writes down with it.
#[derive(Debug)]
pub(super) struct Rows {
    clock: Clock,
    provider: IdpId,
    round: String,
}

/// What a round has come to, and what it could not do, of which nothing but the row tells.
pub(super) struct Log<'r> {
    store: &'r Store,
    rows: &'r Rows,
    waiting: Vec<ScimUpdate>,
    /// How many things changed.
    pub(super) changes: usize,
    /// How many could not be done.
    pub(super) refused: usize,
}

/// What a row is about.
#[derive(Default)]
struct About {
    kind: &'static str,
    resource: Option<String>,
    external_id: Option<String>,
    user_email: Option<String>,
    group_name: Option<String>,
    body: Option<String>,
    effect: Option<String>,
}

impl Rows {
    pub(super) fn new(clock: &Clock, provider: IdpId, round: &str) -> Self {
        Self {
            clock: clock.clone(),
            provider,
            round: round.to_owned(),
        }
    }

    fn row(&self, method: &'static str, about: About) -> ScimUpdate {
        let status = match method {
            "POST" => 201,
            "DELETE" => 204,
            _ => 200,
        };
        let shorten = |body: String| body.chars().take(LONGEST_BODY).collect();
        ScimUpdate {
            request_id: self.round.clone(),
            at_ms: self.clock.now_ms(),
            provider: self.provider,
            method: method.to_owned(),
            resource_type: Some(about.kind.to_owned()),
            resource: about.resource,
            external_id: about.external_id,
            user_email: about.user_email,
            group_name: about.group_name,
            succeeded: true,
            status,
            error: None,
            body: about.body.map(shorten),
            effect: about.effect,
            // Nobody asked: the gateway did it of its own accord.
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            actor: Some("directory sync".to_owned()),
        }
    }
}

impl Journal for Rows {
    fn person(&self, method: &'static str, written: &UserWritten) -> ScimUpdate {
        let record = &written.user.record;
        let body = || serde_json::Value::Object(record.0.clone()).to_string();
        let about = About {
            kind: "USER",
            resource: Some(written.user.id.to_string()),
            external_id: record.external_id().map(str::to_owned),
            user_email: Some(record.work_email().unwrap_or(record.user_name()).to_owned()),
            body: (method != "DELETE").then(body),
            effect: in_words(&written.consequences),
            ..About::default()
        };
        self.row(method, about)
    }

    fn group(&self, method: &'static str, written: &GroupWritten) -> ScimUpdate {
        let record = &written.group.record;
        let ids = |ids: &[_]| ids.iter().map(ToString::to_string).collect::<Vec<String>>();
        let body = || {
            let body = serde_json::json!({
                "displayName": record.display_name,
                "added": ids(&written.added),
                "removed": ids(&written.removed),
            });
            body.to_string()
        };
        let about = About {
            kind: "GROUP",
            resource: Some(written.group.id.to_string()),
            external_id: record.external_id.clone(),
            group_name: Some(record.display_name.clone()),
            body: (method != "DELETE").then(body),
            effect: in_words(&written.consequences),
            ..About::default()
        };
        self.row(method, about)
    }

    fn nesting(&self, done: &Consequences) -> ScimUpdate {
        let about = About {
            kind: "GROUP",
            effect: in_words(done),
            ..About::default()
        };
        self.row("PATCH", about)
    }
}

impl<'r> Log<'r> {
    pub(super) fn new(store: &'r Store, rows: &'r Rows) -> Self {
        Self {
            store,
            rows,
            waiting: Vec::new(),
            changes: 0,
            refused: 0,
        }
    }

    /// Something cannot be done, and will be tried again when everything is read.
    pub(super) async fn refused(&mut self, kind: &'static str, object: &str, why: &str) {
        let Rows { provider, round, .. } = self.rows;
        tracing::warn!(request.id = round.as_str(), provider.id = %provider, object, "What the directory tells cannot be kept: {why}");
        self.refused += 1;
        let about = About {
            kind,
            external_id: Some(object.to_owned()),
            ..About::default()
        };
        let row = self.rows.row("PATCH", about);
        self.waiting.push(ScimUpdate {
            succeeded: false,
            status: 409,
            error: Some(why.to_owned()),
            ..row
        });
        if self.waiting.len() >= AT_ONCE {
            self.write().await;
        }
    }

    /// Writes down what waits.
    pub(super) async fn write(&mut self) {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store.log_scim(&rows).await {
            let (lost, round) = (rows.len(), self.rows.round.as_str());
            tracing::error!(request.id = round, %error, lost, "What a directory told could not be written into the provisioning log");
        }
    }
}
