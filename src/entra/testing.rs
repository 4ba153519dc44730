//! A stub of Microsoft for unit tests: answers by path, counts what it is asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::{HeaderMap, Response};
use secrecy::SecretString;
use url::Url;

use crate::model::idp::{ClientCredential, Cloud, EntraSettings};

/// Status, headers, body.
pub(super) type Answer = (u16, Vec<(&'static str, String)>, String);

/// What was asked: path with query, headers, body.
pub(super) struct Asked {
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

#[derive(Default)]
struct Shared {
    answers: Mutex<HashMap<String, VecDeque<Answer>>>,
    asked: Mutex<Vec<Asked>>,
}

pub(super) struct Stub {
    shared: Arc<Shared>,
    base: String,
}

impl Stub {
    pub(super) async fn start(answers: HashMap<&'static str, Answer>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let stub = Self { shared, base };
        for (target, answer) in answers {
            stub.then(target, answer);
        }
        stub
    }

    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Appends an answer: each is given once, the last one for ever.
    pub(super) fn then(&self, target: &str, answer: Answer) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.entry(target.to_owned()).or_default().push_back(answer);
    }

    /// Replaces what is answered.
    pub(super) fn answer(&self, target: &str, status: u16, body: &str) {
        self.shared.answers.lock().unwrap().remove(target);
        self.then(target, (status, vec![], body.to_owned()));
    }

    pub(super) fn asked(&self, path: &str) -> usize {
        let path_of = |asked: &Asked| asked.target.split('?').next() == Some(path);
        self.requests().iter().filter(|asked| path_of(asked)).count()
    }

    pub(super) fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Asked>> {
        self.shared.asked.lock().unwrap()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let target = parts.uri.path_and_query().unwrap().to_string();
    let path = parts.uri.path().to_owned();
    shared.asked.lock().unwrap().push(Asked {
        target: target.clone(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let mut answers = shared.answers.lock().unwrap();
    let key = if answers.contains_key(&target) {
        target
    } else {
        path
    };
    let Some(queue) = answers.get_mut(&key) else {
        return Response::builder().status(404).body(Body::empty()).unwrap();
    };
    let (status, headers, body) = match queue.len() {
        1 => queue[0].clone(),
        _ => queue.pop_front().unwrap(),
    };
    let response = Response::builder().status(status);
    let response = headers
        .into_iter()
        .fold(response, |r, (name, value)| r.header(name, value));
    response.body(Body::from(body)).unwrap()
}

/// The settings the fixtures belong to, in a cloud at `base`.
pub(super) fn settings(base: &str) -> EntraSettings {
    let base: Url = base.parse().unwrap();
    EntraSettings {
        client_id: "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516".to_owned(),
        directory_id: "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60".parse().unwrap(),
        credential: ClientCredential::Secret {
            current: SecretString::from("current-secret"),
            next: None,
        },
        secret_expires_at: None,
        cloud: Cloud {
            key: "stub".to_owned(),
            login: base.clone(),
            graph: base,
            instance_name: None,
            federation_audience: String::new(),
        },
        support_groups: true,
        conditional_access_enabled: false,
        pkce_enabled: true,
        email_claim_name: None,
        claims: Vec::new(),
        prompt: None,
        domain_hint: None,
        scopes: Vec::new(),
        trust_guest_email: false,
        refresh_check: None,
        custom_signing_key: false,
    }
}
