//! A running mock with one app and the demo's people, and a client that is right in every point until told otherwise.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_entra::{AppRegistration, Directory, MockEntra, demo};
use serde_json::Value;

/// The redirect address every test's app has.
pub(crate) const REDIRECT: &str = "https://access.corp.example/cdn-cgi/access/callback";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// RFC 7636 appendix B.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A running mock and an HTTP client that follows nothing.
pub(crate) struct World {
    pub(crate) entra: MockEntra,
    pub(crate) http: reqwest::Client,
}

/// Parameters of a request.
#[derive(Clone, Debug)]
pub(crate) struct Form(BTreeMap<String, String>);

/// An answer of the authorize endpoint.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: Option<url::Url>,
    pub(crate) cookies: Vec<String>,
    pub(crate) body: String,
}

/// A JSON answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl World {
    /// The demo's directory, its app with the redirect address of the tests.
    pub(crate) async fn start() -> Self {
        Self::start_with(|app| app).await
    }

    /// The same, with the app registration changed.
    pub(crate) async fn start_with(change: impl FnOnce(AppRegistration) -> AppRegistration) -> Self {
        // Another test of this process may have installed it before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = Directory::demo();
        directory
            .tenant(demo::TENANT)
            .edit_app(demo::CLIENT_ID, |app| change(app.redirect_uri(REDIRECT)));
        let entra = MockEntra::start(&directory).await.unwrap();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { entra, http }
    }

    /// The authorize request of the right client, signed in directly as Alice.
    pub(crate) fn sign_in(&self) -> Form {
        let base = self.entra.base_url();
        let scope =
            format!("openid profile email offline_access {base}/User.Read {base}/GroupMember.Read.All");
        Form::new(&[
            ("client_id", demo::CLIENT_ID),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", &scope),
            ("state", "st-4f1c9a"),
            ("nonce", "n-0S6_WzA2Mj"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("mock_user", demo::ALICE),
        ])
    }

    /// Sends an authorize request to the demo's tenant.
    pub(crate) async fn ask(&self, form: Form) -> Reply {
        self.ask_with_cookies(form, &[]).await
    }

    /// The same from a browser that has these cookies.
    pub(crate) async fn ask_with_cookies(&self, form: Form, cookies: &[String]) -> Reply {
        let request = self
            .http
            .get(self.authorize_url(&form))
            .header("cookie", cookies.join("; "));
        Reply::of(request.send().await.unwrap()).await
    }

    /// The sign-in form, posted.
    pub(crate) async fn post_sign_in(&self, form: Form, fields: &[(&str, &str)]) -> Reply {
        Reply::of(
            self.http
                .post(self.authorize_url(&form))
                .form(fields)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    pub(crate) fn authorize_url(&self, form: &Form) -> String {
        format!(
            "{}/{}/oauth2/v2.0/authorize?{}",
            self.entra.base_url(),
            demo::TENANT,
            form.encoded()
        )
    }

    /// A fresh code for the right client.
    pub(crate) async fn code(&self) -> String {
        self.ask(self.sign_in()).await.code()
    }

    /// The client-credentials request of the right client.
    pub(crate) fn app_login(&self) -> Form {
        Form::new(&[
            ("client_id", demo::CLIENT_ID),
            ("client_secret", demo::CLIENT_SECRET),
            ("grant_type", "client_credentials"),
            ("scope", &format!("{}/.default", self.entra.base_url())),
        ])
    }

    /// The token endpoint of the demo's tenant.
    pub(crate) fn token_url(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.entra.base_url(), demo::TENANT)
    }

    /// Sends a token request.
    pub(crate) async fn token(&self, form: Form) -> Answer {
        Answer::of(
            self.http
                .post(self.token_url())
                .form(&form.0)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Signs in and redeems: the tokens.
    pub(crate) async fn tokens(&self, sign_in: Form) -> Value {
        let code = self.ask(sign_in).await.code();
        let answer = self.token(redemption(&code)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    /// Tokens of this person.
    pub(crate) async fn tokens_of(&self, name: &str) -> Value {
        self.tokens(self.sign_in().with("mock_user", name)).await
    }
}

/// The token request of the right client.
pub(crate) fn redemption(code: &str) -> Form {
    Form::new(&[
        ("client_id", demo::CLIENT_ID),
        ("client_secret", demo::CLIENT_SECRET),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ])
}

/// A refresh of the right client.
pub(crate) fn refresh(token: &str) -> Form {
    Form::new(&[
        ("client_id", demo::CLIENT_ID),
        ("client_secret", demo::CLIENT_SECRET),
        ("grant_type", "refresh_token"),
        ("refresh_token", token),
    ])
}

impl Form {
    pub(crate) fn new(pairs: &[(&str, &str)]) -> Self {
        Self(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        assert!(
            self.0.remove(name).is_some(),
            "{name} was not there to be left out"
        );
        self
    }

    /// Asks for further scopes.
    pub(crate) fn and_scope(self, more: &str) -> Self {
        let scope = format!("{} {more}", self.0["scope"]);
        self.with("scope", &scope)
    }

    pub(crate) fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub(crate) fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }
}

impl Reply {
    async fn of(response: reqwest::Response) -> Self {
        let header = |name: &str| {
            response
                .headers()
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let cookies = header("set-cookie")
            .map(|cookie| cookie.split(';').next().unwrap().to_owned())
            .collect();
        let location = header("location")
            .next()
            .map(|location| location.parse().unwrap());
        let status = response.status().as_u16();
        Self {
            status,
            location,
            cookies,
            body: response.text().await.unwrap(),
        }
    }

    /// A parameter sent to the application.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location.as_ref()?;
        location
            .query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The code sent to the application.
    pub(crate) fn code(&self) -> String {
        self.parameter("code")
            .unwrap_or_else(|| panic!("no code: {:?} {}", self.location, self.body))
    }

    /// `error` and AADSTS number sent to the application.
    pub(crate) fn error(&self) -> (String, u32) {
        let error = self
            .parameter("error")
            .unwrap_or_else(|| panic!("no error: {:?} {}", self.location, self.body));
        (error, aadsts(&self.parameter("error_description").unwrap()))
    }

    /// The AADSTS number shown on the page, with nothing sent to the application.
    pub(crate) fn page_error(&self) -> u32 {
        assert!(self.location.is_none(), "redirected to {:?}", self.location);
        aadsts(self.body.find("AADSTS").map_or("", |start| &self.body[start..]))
    }
}

impl Answer {
    pub(crate) async fn of(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null);
        Self {
            status,
            headers,
            body,
        }
    }

    /// Status, `error` and AADSTS number of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str, u64) {
        let error = self.body["error"].as_str().unwrap_or("none");
        (
            self.status,
            error,
            self.body["error_codes"][0].as_u64().unwrap_or(0),
        )
    }

    /// Only the AADSTS number of a refusal.
    pub(crate) fn aadsts(&self) -> u64 {
        self.refusal().2
    }
}

/// The number after `AADSTS`.
fn aadsts(text: &str) -> u32 {
    let digits: String = text
        .trim_start_matches("AADSTS")
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits
        .parse()
        .unwrap_or_else(|_| panic!("no AADSTS code in {text}"))
}

/// The claims of an ID token, unverified.
pub(crate) fn claims(tokens: &Value) -> Value {
    let payload = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// A recorded shape.
pub(crate) fn fixture(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The member names of an object, sorted.
pub(crate) fn members(object: &Value) -> Vec<String> {
    let mut names: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
    names.sort();
    names
}
