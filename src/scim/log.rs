//! What is written down of every request.

use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::shutdown::Shutdown;
use crate::store::{ScimUpdate, Store};

/// Rows that may wait to be written; whoever adds one more waits with his answer.
const WAITING: usize = 1024;
/// Rows written in one transaction.
const AT_ONCE: usize = 200;
/// Between two attempts where the store does not answer.
const AGAIN: Duration = Duration::from_secs(1);
/// Attempts before rows are given up.
const ATTEMPTS: u32 = 60;
/// The longest body that is kept, in characters.
const LONGEST_BODY: usize = 16 * 1024;
/// Attributes that hold secrets. None of them is stored; somebody may map one all the same.
const SECRETS: [&str; 2] = ["password", "secret"];

/// Writes rows, many at once: each alone would cost every look-up a write to the disk. A process that stops waits for
/// those that are not written yet.
#[derive(Debug, Clone)]
pub(super) struct Log {
    rows: mpsc::Sender<Row>,
    tasks: TaskTracker,
}

/// A row, and what holds up the end of the process until it is written.
type Row = (ScimUpdate, TaskTrackerToken);

impl Log {
    pub(super) fn start(store: Store, shutdown: &Shutdown) -> Self {
        let (rows, written) = mpsc::channel(WAITING);
        let stop = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = write(store, written) => {}
                () = stop.hard() => {}
            }
        });
        Self {
            rows,
            tasks: shutdown.tasks().clone(),
        }
    }

    pub(super) async fn add(&self, row: ScimUpdate) {
        let _ = self.rows.send((row, self.tasks.token())).await; // the writer has stopped: so does the gateway
    }
}

async fn write(store: Store, mut rows: mpsc::Receiver<Row>) {
    let mut came = Vec::with_capacity(AT_ONCE);
    while rows.recv_many(&mut came, AT_ONCE).await > 0 {
        let (waiting, _held): (Vec<ScimUpdate>, Vec<TaskTrackerToken>) = came.drain(..).unzip();
        for attempt in 1..=ATTEMPTS {
            match store.log_scim(&waiting).await {
                Ok(()) => break,
                Err(error) if attempt == ATTEMPTS => {
                    let lost = waiting.len();
                    tracing::error!(%error, lost, "SCIM requests could not be written into the provisioning log");
                }
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }
}

/// A body as it is kept: without secrets, and not longer than a row may be.
pub(super) fn kept(body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(mut body) => {
            mask(&mut body);
            body.to_string()
        }
        // Nobody knows what is in it.
        Err(_) => return Some("(no JSON)".to_owned()),
    };
    let mut kept: String = text.chars().take(LONGEST_BODY).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    Some(kept)
}

fn mask(value: &mut Value) {
    let is_secret = |name: &str| SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    match value {
        Value::Object(parts) => {
            // An operation of a PATCH names its attribute beside the value.
            let named = parts.get("path").and_then(Value::as_str).is_some_and(is_secret);
            for (name, value) in parts {
                if is_secret(name) || (named && name == "value") {
                    *value = "[hidden]".into();
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let body = br#"{"userName":"a","password":"p1","Operations":[{"op":"add","path":"Password","value":"p2"},{"op":"add","value":{"PASSWORD":"p3"}}]}"#;
        let kept = kept(body).unwrap();
        assert!(kept.contains("userName") && kept.contains("[hidden]"), "{kept}");
        for secret in ["p1", "p2", "p3"] {
            assert!(!kept.contains(secret), "{kept}");
        }
        assert_eq!(super::kept(b""), None);
        assert_eq!(super::kept(b"p4").as_deref(), Some("(no JSON)"));
        let long = format!("\"{}\"", "x".repeat(100_000));
        assert!(super::kept(long.as_bytes()).unwrap().chars().count() <= LONGEST_BODY + 1);
    }
}
