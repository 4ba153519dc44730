//! Every request that Entra or its public validators send, with the answer they expect and the state afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::client::Directory;
use super::expect::{faults, header_fits};
use super::{EVERYTHING, provisioned};
use crate::support::wire::Reply;

const FOLDER: &str = "tests/fixtures/scim";

pub(super) fn read(name: &str) -> Value {
    let path = Path::new(FOLDER).join(format!("{name}.json"));
    serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
}

/// What a run of fixtures knows so far.
pub(super) struct Run<'d> {
    pub(super) directory: &'d Directory,
    pub(super) ids: BTreeMap<String, String>,
    done: BTreeSet<String>,
}

impl<'d> Run<'d> {
    pub(super) fn new(directory: &'d Directory) -> Self {
        Self {
            directory,
            ids: BTreeMap::new(),
            done: BTreeSet::new(),
        }
    }

    /// Runs a fixture with what it needs; what is wrong with the answers.
    async fn run(&mut self, name: &str) -> Vec<String> {
        let fixture = read(name);
        let mut wrong = Vec::new();
        for needed in fixture["needs"].as_array().into_iter().flatten() {
            let needed = needed.as_str().unwrap();
            if self.done.contains(needed) {
                continue;
            }
            match needed {
                "setup:11_users" => {
                    self.eleven(
                        "/Users",
                        |n| json!({ "userName": format!("user{n}@corp.example") }),
                    )
                    .await;
                }
                "setup:11_groups" => {
                    self.eleven("/Groups", |n| json!({ "displayName": format!("Group {n}") }))
                        .await;
                }
                other => wrong.extend(Box::pin(self.run(other)).await),
            }
            self.done.insert(needed.to_owned());
        }
        wrong.extend(self.step(name, &fixture, &fixture["expect"]).await);
        self.done.insert(name.to_owned());
        wrong
    }

    async fn eleven(&self, path: &str, body: impl Fn(usize) -> Value) {
        for number in 1..=11 {
            self.directory.create(path, &body(number)).await;
        }
    }

    /// The request of a fixture, in every spelling, and what must be so afterwards.
    pub(super) async fn step(&mut self, name: &str, fixture: &Value, expected: &Value) -> Vec<String> {
        let request = &fixture["request"];
        let variants = request["path_variants"].as_array().cloned().unwrap_or_default();
        let mut wrong = Vec::new();
        for path in std::iter::once(&request["path"]).chain(&variants) {
            let reply = self.send(request, path.as_str().unwrap()).await;
            let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            if let Some(captured) = fixture["capture"].as_object() {
                for (what, pointer) in captured {
                    let pointer = pointer.as_str().unwrap().replace('$', "").replace('.', "/");
                    if let Some(id) = body.pointer(&pointer).and_then(Value::as_str) {
                        self.ids.insert(what.clone(), id.to_owned());
                    }
                }
            }
            wrong.extend(faults(&self.filled(expected), reply.status, &body));
            for (header, wanted) in expected["headers"].as_object().into_iter().flatten() {
                let found = reply.header(&header.to_ascii_lowercase()).map(str::to_owned);
                // What has no body has no type.
                let empty = reply.status == 204 && header.eq_ignore_ascii_case("content-type");
                if !empty && !header_fits(found.as_deref(), wanted.as_str().unwrap()) {
                    wrong.push(format!("{header} is {found:?}, not {wanted}"));
                }
            }
        }
        for then in expected["then"].as_array().into_iter().flatten() {
            let request = json!({ "method": then["method"], "headers": request["headers"] });
            let reply = self.send(&request, then["path"].as_str().unwrap()).await;
            let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            wrong.extend(faults(&self.filled(then), reply.status, &body));
        }
        wrong
            .into_iter()
            .map(|fault| format!("{name}: {fault}"))
            .collect()
    }

    pub(super) async fn send(&self, request: &Value, path: &str) -> Reply {
        let headers: Vec<(String, String)> = match self.filled(&request["headers"]) {
            Value::Object(headers) => headers
                .into_iter()
                .map(|(name, value)| (name, value.as_str().unwrap().to_owned()))
                .collect(),
            _ => vec![(
                "Authorization".to_owned(),
                format!("Bearer {}", self.directory.token),
            )],
        };
        let body = match (&request["body_raw"], &request["body"]) {
            (Value::String(raw), _) if raw.starts_with("<more") => Some(vec![b' '; 1024 * 1024 + 1]),
            (Value::String(raw), _) => Some(raw.clone().into_bytes()),
            (_, Value::Null) => None,
            (_, body) => Some(self.filled(body).to_string().into_bytes()),
        };
        let path = self.filled(&path.into());
        let method = request["method"].as_str().unwrap();
        self.directory
            .send(method, path.as_str().unwrap(), &headers, body.as_deref())
            .await
    }

    /// A value with the placeholders filled in that are known.
    pub(super) fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.replace("{{base}}", &self.directory.base);
                text = text.replace("{{token}}", &self.directory.token);
                for (what, id) in &self.ids {
                    text = text.replace(&format!("{{{{{what}}}}}"), id);
                }
                text.into()
            }
            Value::Array(values) => values.iter().map(|value| self.filled(value)).collect(),
            Value::Object(parts) => Value::Object(
                parts
                    .iter()
                    .map(|(name, value)| (name.clone(), self.filled(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }
}

/// Deletes everything that there is, as an administrator would have it done.
async fn clear(directory: &Directory) {
    for path in ["/Groups", "/Users"] {
        loop {
            let page = directory.get(&format!("{path}?count=200&attributes=id")).await;
            let found = page["Resources"].as_array().unwrap().clone();
            if found.is_empty() {
                break;
            }
            for resource in found {
                directory
                    .delete(&format!("{path}/{}", resource["id"].as_str().unwrap()))
                    .await;
            }
        }
    }
}

#[tokio::test]
async fn every_fixture_is_answered_as_it_expects() {
    let world = provisioned(EVERYTHING).start().await;
    let directory = Directory::of(&world).await;
    let index = read("index");
    let indexed = index["fixtures"].as_array().unwrap().iter();
    let mut named: Vec<String> = indexed
        .map(|fixture| {
            fixture["file"]
                .as_str()
                .unwrap()
                .trim_end_matches(".json")
                .to_owned()
        })
        // Sequences are run by their own tests, one each.
        .filter(|name| !name.starts_with("sequences/"))
        .collect();
    let mut files: Vec<String> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.strip_suffix(".json").is_some_and(|name| name != "index"))
        .map(|name| name.trim_end_matches(".json").to_owned())
        .collect();
    files.sort();
    named.sort();
    assert_eq!(files, named, "the index names every file");
    assert_eq!(files.len(), 122);
    let mut wrong = Vec::new();
    for name in &files {
        wrong.extend(Run::new(&directory).run(name).await);
        clear(&directory).await;
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}
