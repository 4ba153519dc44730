//! A service that is asked about people, as good or bad as a test wants it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, Response, StatusCode};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use vestibule::clock::Clock;

/// What it does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Yes,
    No,
    /// Nothing, for longer than anybody waits.
    Nothing,
    Status(u16),
    /// Status 200 and this body.
    Body(&'static str),
    /// Status 200 and a body that does not end.
    Flood,
    /// To ask elsewhere.
    Redirect,
    /// Yes, to another question.
    OtherNonce,
    /// Yes, until a moment ago.
    Expired,
    /// Yes, signed with a key that it does not publish, under the name of one that it does.
    ForeignKey,
    /// Yes, signed with a key that its set has only from the next look on.
    NewKey,
    /// Yes, and its keys do not come.
    NoKeys,
    /// Yes, unsigned.
    Unsigned,
    /// `"true"` in place of `true`.
    Words,
}

/// One question as it came.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) claims: Value,
}

impl Asked {
    /// The signed question.
    pub(super) fn token(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["token"].as_str().unwrap().to_owned()
    }
}

struct Shared {
    says: Says,
    keys: VecDeque<Key>,
    published: usize,
    asked: Vec<Asked>,
    key_looks: usize,
}

struct Key {
    kid: String,
    private: EncodingKey,
    public: Jwk,
}

#[derive(Clone)]
pub(super) struct Evaluator {
    shared: Arc<Mutex<Shared>>,
    base: String,
}

impl Evaluator {
    pub(super) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared {
            says: Says::Yes,
            keys: [key("first"), key("second")].into(),
            published: 1,
            asked: Vec::new(),
            key_looks: 0,
        }));
        let router = Router::new()
            .route("/evaluate", post(evaluate))
            .route("/keys", get(keys))
            .with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { shared, base }
    }

    /// The rule that asks it, in TOML.
    pub(super) fn rule(&self) -> String {
        let base = &self.base;
        format!(
            r#"{{ external_evaluation = {{ evaluate_url = "{base}/evaluate", keys_url = "{base}/keys" }} }}"#
        )
    }

    pub(super) fn says(&self, says: Says) {
        self.shared.lock().unwrap().says = says;
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.shared.lock().unwrap().asked.clone()
    }

    /// How often its keys were looked at.
    pub(super) fn key_looks(&self) -> usize {
        self.shared.lock().unwrap().key_looks
    }
}

fn key(kid: &str) -> Key {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
    let mut public = Jwk::from_encoding_key(&private, Algorithm::RS256).unwrap();
    public.common.key_id = Some(kid.to_owned());
    Key {
        kid: kid.to_owned(),
        private,
        public,
    }
}

async fn keys(State(shared): State<Arc<Mutex<Shared>>>) -> Response<Body> {
    let hangs = {
        let mut shared = shared.lock().unwrap();
        shared.key_looks += 1;
        shared.says == Says::NoKeys
    };
    if hangs {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    let mut shared = shared.lock().unwrap();
    let keys: Vec<&Jwk> = shared
        .keys
        .iter()
        .take(shared.published)
        .map(|key| &key.public)
        .collect();
    let keys = json!({ "keys": keys }).to_string();
    if shared.says == Says::NewKey {
        shared.published = 2;
    }
    Response::new(Body::from(keys))
}

async fn evaluate(
    State(shared): State<Arc<Mutex<Shared>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let question: Value = serde_json::from_str(&body).unwrap();
    let claims = claims_of(question["token"].as_str().unwrap());
    let nonce = claims["nonce"].clone();
    let says = {
        let mut shared = shared.lock().unwrap();
        shared.asked.push(Asked {
            headers,
            body,
            claims,
        });
        shared.says
    };
    if says == Says::Nothing {
        tokio::time::sleep(Duration::from_mins(1)).await;
    }
    answer(&shared.lock().unwrap(), says, &nonce)
}

fn answer(shared: &Shared, says: Says, nonce: &Value) -> Response<Body> {
    let now = Clock::system().now_seconds();
    // Longer than any test moves the clock of the gateway ahead.
    let mut verdict = json!({ "success": true, "iat": now, "exp": now + 600, "nonce": nonce });
    let (first, second) = (&shared.keys[0], &shared.keys[1]);
    let (mut kid, mut private) = (&first.kid, &first.private);
    match says {
        Says::Yes | Says::Nothing | Says::NoKeys => {}
        Says::No => verdict["success"] = false.into(),
        Says::Words => verdict["success"] = "true".into(),
        Says::OtherNonce => verdict["nonce"] = "another".into(),
        Says::Expired => verdict["exp"] = now.into(),
        Says::ForeignKey => private = &second.private,
        Says::NewKey => (kid, private) = (&second.kid, &second.private),
        Says::Unsigned => {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let token = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&verdict));
            return Response::new(Body::from(json!({ "token": token }).to_string()));
        }
        Says::Status(status) => {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            return answer;
        }
        Says::Body(body) => return Response::new(Body::from(body)),
        Says::Flood => {
            let chunk = Bytes::from(vec![b' '; 64 * 1024]);
            let endless = futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
            return Response::new(Body::from_stream(endless));
        }
        Says::Redirect => {
            return Response::builder()
                .status(307)
                .header("location", "/evaluate")
                .body(Body::empty())
                .unwrap();
        }
    }
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(kid.clone());
    let token = jsonwebtoken::encode(&header, &verdict, private).unwrap();
    Response::new(Body::from(json!({ "token": token }).to_string()))
}

/// The claims of a token, unverified.
fn claims_of(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}
