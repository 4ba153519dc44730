//! What is written down of a round: a row for everything it did, as if it had been a request of SCIM.

use std::net::{IpAddr, Ipv4Addr};

use crate::clock::Clock;
use crate::model::ids::IdpId;
use crate::store::{GroupWritten, ScimUpdate, Store, UserWritten};

/// Rows written at once.
const AT_ONCE: usize = 200;
/// Longest body of a row, in characters.
const LONGEST_BODY: usize = 16 * 1024;

/// The rows of a round.
pub(super) struct Log<'r> {
    store: &'r Store,
    clock: &'r Clock,
    provider: IdpId,
    round: &'r str,
    rows: Vec<ScimUpdate>,
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
}

impl<'r> Log<'r> {
    pub(super) fn new(store: &'r Store, clock: &'r Clock, provider: IdpId, round: &'r str) -> Self {
        Self {
            store,
            clock,
            provider,
            round,
            rows: Vec::new(),
            changes: 0,
            refused: 0,
        }
    }

    /// A person was made, changed or deleted: `method` as SCIM would have had it.
    pub(super) async fn person(
        &mut self,
        method: &'static str,
        written: &UserWritten,
        effect: Option<String>,
    ) {
        let record = &written.user.record;
        let body = serde_json::Value::Object(record.0.clone()).to_string();
        let about = About {
            kind: "USER",
            resource: Some(written.user.id.to_string()),
            external_id: record.external_id().map(str::to_owned),
            user_email: Some(record.work_email().unwrap_or(record.user_name()).to_owned()),
            body: (method != "DELETE").then_some(body),
            ..About::default()
        };
        self.done(method, about, effect).await;
    }

    /// A group was made, changed or deleted.
    pub(super) async fn group(
        &mut self,
        method: &'static str,
        written: &GroupWritten,
        effect: Option<String>,
    ) {
        let record = &written.group.record;
        let ids = |ids: &[_]| ids.iter().map(ToString::to_string).collect::<Vec<String>>();
        let body = serde_json::json!({
            "displayName": record.display_name,
            "added": ids(&written.added),
            "removed": ids(&written.removed),
        });
        let about = About {
            kind: "GROUP",
            resource: Some(written.group.id.to_string()),
            external_id: record.external_id.clone(),
            group_name: Some(record.display_name.clone()),
            body: (method != "DELETE").then(|| body.to_string()),
            ..About::default()
        };
        self.done(method, about, effect).await;
    }

    /// Groups came into groups or left them, which SCIM has no request for.
    pub(super) async fn nesting(&mut self, effect: Option<String>) {
        let about = About {
            kind: "GROUP",
            ..About::default()
        };
        self.done("PATCH", about, effect).await;
    }

    /// Something cannot be done, and will be tried again when everything is read.
    pub(super) async fn refused(&mut self, kind: &'static str, object: &str, why: &str) {
        tracing::warn!(request.id = self.round, provider.id = %self.provider, object, "What the directory tells cannot be kept: {why}");
        self.refused += 1;
        let about = About {
            kind,
            external_id: Some(object.to_owned()),
            ..About::default()
        };
        let row = self.row("PATCH", about);
        self.add(ScimUpdate {
            succeeded: false,
            status: 409,
            error: Some(why.to_owned()),
            ..row
        })
        .await;
    }

    async fn done(&mut self, method: &'static str, about: About, effect: Option<String>) {
        self.changes += 1;
        let row = self.row(method, about);
        self.add(ScimUpdate { effect, ..row }).await;
    }

    fn row(&self, method: &'static str, about: About) -> ScimUpdate {
        let status = match method {
            "POST" => 201,
            "DELETE" => 204,
            _ => 200,
        };
        let shorten = |body: String| body.chars().take(LONGEST_BODY).collect();
        ScimUpdate {
            request_id: self.round.to_owned(),
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
            effect: None,
            // Nobody asked: the gateway did it of its own accord.
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            actor: Some("directory sync".to_owned()),
        }
    }

    async fn add(&mut self, row: ScimUpdate) {
        self.rows.push(row);
        if self.rows.len() >= AT_ONCE {
            self.write().await;
        }
    }

    /// Writes what waits. What cannot be written down is done all the same.
    pub(super) async fn write(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return;
        }
        if let Err(error) = self.store.log_scim(&rows).await {
            let lost = rows.len();
            tracing::error!(request.id = self.round, %error, lost, "What a directory told could not be written into the provisioning log");
        }
    }
}
