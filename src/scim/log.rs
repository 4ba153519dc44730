//! What is written down of every request: of what it wrote, with that; of all else a little later, many rows at once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::call::Call;
use crate::session::effects::in_words;
use crate::shutdown::Shutdown;
use crate::store::{Consequences, GroupWritten, Journal, ScimUpdate, Store, UserWritten};

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
/// What the names of attributes have in them that hold secrets. None of those is stored; somebody may map one all the
/// same.
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "recoverycode",
];
/// Keys whose value says what the object beside it is about: `path` in an operation of a PATCH, the others in lists of
/// what an administrator made up.
const NAMING: [&str; 5] = ["path", "name", "type", "key", "attribute"];
/// What stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// Texts within texts that are looked into. Roles may be whole JSON documents.
const TEXTS_DEEP: u8 = 2;

/// Writes the rows of requests that wrote nothing, many at once: each alone would cost every look-up a write to the disk. A
/// process that stops waits for those that are not written yet.
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

/// The rows of what a request writes, which the store keeps with it: a gateway that is killed loses nothing that it has
/// answered.
impl Journal for Call<'_> {
    fn person(&self, _: &'static str, written: &UserWritten) -> ScimUpdate {
        let status = match *self.method {
            Method::POST => 201,
            Method::DELETE => 204,
            _ => 200,
        };
        let row = ScimUpdate {
            effect: in_words(&written.consequences),
            ..self.noted_row(status)
        };
        row.about_user(&written.user)
    }

    fn group(&self, _: &'static str, written: &GroupWritten) -> ScimUpdate {
        let status = match *self.method {
            Method::POST => 201,
            Method::PUT => 200,
            _ => 204,
        };
        let words: Vec<String> = moved_in_words(written)
            .into_iter()
            .chain(in_words(&written.consequences))
            .collect();
        let row = ScimUpdate {
            effect: (!words.is_empty()).then(|| words.join("; ")),
            ..self.noted_row(status)
        };
        row.about_group(&written.group)
    }

    fn nesting(&self, done: &Consequences) -> ScimUpdate {
        ScimUpdate {
            effect: in_words(done),
            ..self.noted_row(200)
        }
    }
}

impl Call<'_> {
    fn noted_row(&self, status: u16) -> ScimUpdate {
        self.noted.store(true, Ordering::Relaxed);
        ScimUpdate {
            body: kept(self.body),
            ..ScimUpdate::of(
                (self.request_id, self.address),
                self.scim.clock.now_ms(),
                self.provider.id,
                (self.method.as_str(), status),
            )
        }
    }
}

/// Who came to a group and went; `None` where nobody did.
fn moved_in_words(written: &GroupWritten) -> Option<String> {
    match (written.added.len(), written.removed.len()) {
        (0, 0) => None,
        (came, went) => Some(format!("{came} came, {went} went")),
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
        Ok(mut body @ (Value::Object(_) | Value::Array(_))) => {
            mask(&mut body, TEXTS_DEEP);
            body.to_string()
        }
        // Nobody knows what is in it.
        Ok(_) => return Some("(no object)".to_owned()),
        Err(_) => return Some("(no JSON)".to_owned()),
    };
    let mut kept: String = text.chars().take(LONGEST_BODY).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    Some(kept)
}

/// Hides whatever may be a secret. An attribute counts as one by anything in its name, its path, its URN or its filter:
/// of too much that is hidden nobody comes to harm.
fn mask(value: &mut Value, texts: u8) {
    match value {
        Value::Object(parts) => {
            let about_secret = parts.iter().any(|(name, value)| says_secret(name, value));
            for (name, mut value) in std::mem::take(parts) {
                if says_secret(&name, &value) && value.is_string() {
                    value = value.as_str().map(shown_name).into();
                } else if names_secret(&name) || (about_secret && !is_called(&name, "op")) {
                    value = HIDDEN.into();
                } else {
                    mask(&mut value, texts);
                }
                parts.insert(shown_name(&name), value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| mask(value, texts)),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => *text = shown_text(text, texts),
        _ => {}
    }
}

fn is_called(name: &str, wanted: &str) -> bool {
    name.trim().eq_ignore_ascii_case(wanted)
}

fn is_naming(name: &str) -> bool {
    NAMING.iter().any(|naming| is_called(name, naming))
}

/// Whether a part says that the object is about a secret. A path that is no text is no path: nobody knows.
fn says_secret(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_naming(name) && names_secret(text),
        Value::Null => false,
        _ => is_called(name, "path"),
    }
}

/// Whether a name, with whatever stands around it, is that of a secret.
fn names_secret(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let letters: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
    SECRETS.iter().any(|secret| letters.contains(secret))
}

/// A name as it is kept: of a secret's, nothing that stands behind it, such as a filter that has the secret in it.
fn shown_name(name: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || ":.-_$".contains(c);
    let behind = name.trim().find(|c| !is_part(c)).filter(|_| names_secret(name));
    match behind.and_then(|end| name.trim().get(..end)) {
        Some(before) => format!("{before}{HIDDEN}"),
        None => name.to_owned(),
    }
}

/// A text that may be JSON itself, as it is kept.
fn shown_text(text: &str, texts: u8) -> String {
    let read = serde_json::from_str::<Value>(text);
    match (read, texts.checked_sub(1)) {
        (Ok(before), Some(texts)) => {
            let mut masked = before.clone();
            mask(&mut masked, texts);
            if masked == before {
                text.to_owned()
            } else {
                masked.to_string()
            }
        }
        _ if names_secret(text) => HIDDEN.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let core = "urn:ietf:params:scim:schemas:core:2.0:User";
        let bodies = [
            r#"{"userName":"alice","PASSWORD":"hunter2"}"#.to_owned(),
            format!(r#"{{"userName":"alice","{core}:password":"hunter2"}}"#),
            format!(r#"{{"userName":"alice","{core}":{{"Password":["hunter2"]}}}}"#),
            r#"{"userName":"alice","clientSecret":"hunter2","api_key":{"value":"hunter2"},"accessToken":5}"#.to_owned(),
            r#"{"Operations":[{"op":"add","path":"title","value":"alice"},{"op":"add","path":"Password","value":"hunter2"}]}"#.to_owned(),
            format!(r#"{{"Operations":[{{"op":"alice","path":"{core}:password","value":"hunter2"}}]}}"#),
            format!(r#"{{"Operations":[{{"op":"alice","value":{{"{core}:User:password":"hunter2"}}}}]}}"#),
            r#"{"Operations":[{"Op":"alice","Path":" password\t","Value":"hunter2"}]}"#.to_owned(),
            r#"{"Operations":[{"op":"alice","PATH":"passwords[value eq \"hunter2\"].value","value":"hunter2"}]}"#.to_owned(),
            r#"{"Operations":[{"op":"alice","value":{"password[value eq \"hunter2\"]":1}}]}"#.to_owned(),
            r#"{"Operations":[{"op":"alice","path":"roles[password eq \"hunter2\"]"}]}"#.to_owned(),
            // The one that is read, and the one that is not.
            r#"{"Operations":[{"op":"alice","path":"title","Path":"password","value":"hunter2"}]}"#.to_owned(),
            r#"{"Operations":[{"op":"alice","path":["password"],"value":"hunter2"}]}"#.to_owned(),
            r#"{"alice":[{"type":"one-time password","value":"hunter2"},{"name":"apiToken","is":["hunter2"]}]}"#.to_owned(),
            r#"{"roles":[{"value":"{\"id\":\"alice\",\"password\":\"hunter2\"}"}]}"#.to_owned(),
            r#"[{"userName":"alice","password":"hunter2"}]"#.to_owned(),
        ];
        for body in bodies {
            let kept = kept(body.as_bytes()).unwrap();
            assert!(
                !kept.contains("hunter2") && kept.contains(HIDDEN),
                "{body}: {kept}"
            );
            assert!(
                kept.contains("alice") || !body.contains("alice"),
                "{body}: {kept}"
            );
        }
    }

    #[test]
    fn a_text_of_texts_is_looked_into_as_far_as_it_is_bounded() {
        let mut text = r#"{"password":"hunter2"}"#.to_owned();
        for _ in 0..6 {
            text = json!({ "value": text }).to_string();
            assert!(!kept(text.as_bytes()).unwrap().contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_as_it_was_sent() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [
                { "op": "Replace", "path": "name.givenName", "value": "Alice" },
                { "op": "Add", "path": "emails[type eq \"work\"].value", "value": "alice@corp.example" },
                { "op": "replace", "value": { "roles": [{ "value": "{ \"id\": 5 }", "type": "app" }], "active": true } }
            ]
        });
        let text = body.to_string();
        assert_eq!(kept(text.as_bytes()), Some(text));
    }

    #[test]
    fn what_is_no_object_is_not_kept_and_a_row_is_bounded() {
        assert_eq!(kept(b""), None);
        assert_eq!(kept(b"p4").as_deref(), Some("(no JSON)"));
        assert_eq!(kept(b"\"p5\"").as_deref(), Some("(no object)"));
        let long = json!({ "title": "x".repeat(100_000) }).to_string();
        assert!(kept(long.as_bytes()).unwrap().chars().count() <= LONGEST_BODY + 1);
    }
}
