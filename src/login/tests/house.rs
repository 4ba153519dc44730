//! A gateway without a network: the login chain behind a browser that keeps cookies, and a mock Entra tenant.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use mock_entra::{Directory, MockEntra, demo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;
use url::Url;
use uuid::Uuid;

use crate::clock::Clock;
use crate::crypto::digest::sha256_hex;
use crate::crypto::seal::Sealer;
use crate::entra::{Outbound, RelyingParty};
use crate::evaluation::Evaluations;
use crate::login::challenge::Unadmitted;
use crate::login::{Login, Place, Visit, router};
use crate::model::application::Application;
use crate::model::certificate::ClientCertificate;
use crate::model::idp::{ClientCredential, Cloud, EntraSettings, IdentityProvider};
use crate::model::ids::{AppId, IdpId, PolicyId};
use crate::model::organization::{AuthUrl, Organization};
use crate::model::policy::{Decision, Policy, Selector};
use crate::pages::reference::Reference;
use crate::policy::{RequestFacts, compile};
use crate::router::{Entry, Found, Table, Target, Via};
use crate::session::effects::Effects;
use crate::session::identify::{Identified, Identifier};
use crate::session::keys::{self, Signer};
use crate::session::limits::FailureLimit;
use crate::session::lookup::SessionLookup;
use crate::session::revoke::Revoker;
use crate::session::service_jwt::ServiceJwts;
use crate::session::table::SessionTable;
use crate::shutdown::Shutdown;
use crate::snapshot::{Inputs, ProtectedApplication, Published, Snapshot};
use crate::store::{Actor, ActorKind, Document, Kind, Objects, SigningKeyRow, Store};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::request_id::RequestIds;

pub(super) const AUTH: &str = "https://login.example.com";
pub(super) const WIKI: &str = "https://wiki.example.com";
pub(super) const FILES: &str = "https://files.example.com";
/// Only Bob may open it.
pub(super) const VAULT: &str = "https://vault.example.com";

/// The gateway's parts.
pub(super) struct House {
    pub(super) login: Login,
    pub(super) entra: MockEntra,
    pub(super) clock: Clock,
    router: axum::Router,
    identifier: Identifier,
    request_ids: RequestIds,
}

/// What a request was answered.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answered {
    pub(super) fn location(&self) -> Url {
        self.url
            .join(self.headers[header::LOCATION].to_str().unwrap())
            .unwrap()
    }

    /// The address of the one link that the page goes on to.
    pub(super) fn link(&self, containing: &str) -> Url {
        let mut links = self
            .body
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        let link = links
            .find(|link| link.contains(containing))
            .unwrap_or_else(|| panic!("no link in {}", self.body));
        self.url
            .join(&link.replace("&#38;", "&").replace("&amp;", "&"))
            .unwrap()
    }

    pub(super) fn cookies_set(&self) -> Vec<&str> {
        self.headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| value.to_str().unwrap())
            .collect()
    }
}

impl House {
    pub(super) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A gateway whose configuration is changed before it starts.
    pub(super) async fn start_with(change: impl FnOnce(&mut Plan)) -> Self {
        let clock = Clock::system();
        let directory = Directory::demo();
        let shared = clock.clone();
        directory.clock(Arc::new(move || shared.now_seconds()));
        directory.add_redirect_uri(&format!("{AUTH}/cdn-cgi/access/callback"));
        let entra = MockEntra::start(directory).await.unwrap();
        let mut plan = Plan::new(&entra);
        change(&mut plan);

        let store = Store::open(&"sqlite::memory:".into(), clock.clone())
            .await
            .unwrap();
        let sealer = Sealer::new(vec![7; 32].into(), plan.organization.account_id.as_str());
        let rows = signing_keys(&store, &sealer, &clock).await;
        put_providers(&store, &plan.providers).await;
        let signer = Signer::new();
        signer.take_up(&rows, &sealer, clock.now_ms()).unwrap();
        let position = store.head().await.unwrap();
        let inputs = Inputs {
            objects: &Objects::default(),
            keys: &rows,
            scim_secrets: &[],
            organization: &plan.organization,
            clouds: &BTreeMap::new(),
            upstreams: &[],
            position: &position,
            before: None,
        };
        let empty = Snapshot::build(&inputs, &sealer, &clock);
        let published = Arc::new(Published::new(plan.fill(empty)));
        let shutdown = Shutdown::new();
        let sessions = SessionTable::new();
        let revoker = Revoker::new(sessions.clone(), store.clone(), shutdown.clone());
        let relying_party = RelyingParty::new(Outbound::new().unwrap(), clock.clone());
        let effects = Effects::start(
            Arc::clone(&published),
            store.clone(),
            sessions.clone(),
            revoker.clone(),
            relying_party.clone(),
            clock.clone(),
            &shutdown,
        );
        let login = Login {
            published,
            store: store.clone(),
            sessions: sessions.clone(),
            lookup: SessionLookup::start(sessions.clone(), store.clone(), clock.clone(), &shutdown),
            revoker,
            effects,
            signer,
            relying_party,
            evaluations: Evaluations::new(Outbound::new().unwrap(), clock.clone()),
            sealer,
            clock: clock.clone(),
            mailer: crate::mail::Mailer::none(),
            metrics: Arc::new(Metrics::new()),
            failed_steps: Arc::new(FailureLimit::default()),
            transfers: crate::login::Transfers::start(store.clone(), &shutdown),
            metadata: crate::login::Metadata::default(),
            reference: Arc::new(Reference::of(&serde_json::json!({}), "Example").unwrap()),
        };
        Self {
            router: router(login.clone()),
            login,
            entra,
            clock,
            identifier: Identifier::new(
                sessions.clone(),
                Arc::new(FailureLimit::default()),
                std::rc::Rc::new(ServiceJwts::new(sessions)),
            ),
            request_ids: RequestIds::new(),
        }
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser {
            house: self,
            jar: HashMap::new(),
            person: demo::ALICE.to_owned(),
            keeps: true,
        }
    }

    /// What the gate does with a request, as far as signing in is concerned.
    async fn serve(&self, request: Request<()>) -> http::Response<bytes::Bytes> {
        let (parts, ()) = request.into_parts();
        let target = Target::parse(&parts.method, &parts.uri, &parts.headers, Via::Http1).unwrap();
        let snapshot = self.login.published.load();
        if target.is_reserved() {
            let known = !matches!(snapshot.routes.find(target.host(), target.path()), Found::None);
            let place = match (target.host() == snapshot.organization.auth.host(), known) {
                (true, _) => Place::AuthHost,
                (false, true) => Place::ApplicationHost,
                (false, false) => Place::Unknown,
            };
            let client = "203.0.113.5".parse().unwrap();
            let visit = Visit {
                target,
                client,
                facts: RequestFacts {
                    address: Some(client),
                    ..RequestFacts::default()
                },
                request_id: self.request_ids.next(),
                place,
            };
            let mut request = Request::from_parts(parts, axum::body::Body::empty());
            request.extensions_mut().insert(visit);
            let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
            return http::Response::from_parts(parts, body.collect().await.unwrap().to_bytes());
        }
        let application = snapshot.application(&target).unwrap();
        let client = "203.0.113.5".parse().unwrap();
        let now = self.clock.now_ms();
        match self
            .identifier
            .identify(&snapshot, application, &parts.headers, client, &[], now)
        {
            Identified::Session(_) => http::Response::new("inside".into()),
            _ => Unadmitted {
                snapshot: &snapshot,
                application,
                method: &parts.method,
                target: &target,
                certificate: &ClientCertificate::Unknown,
                headers: &parts.headers,
                request_id: "x",
            }
            .challenge(&self.login.sealer, &self.clock),
        }
    }
}

/// Nobody signs in with a provider that the store does not have.
async fn put_providers(store: &Store, providers: &[IdentityProvider]) {
    let actor = Actor {
        kind: ActorKind::File,
        name: "a test".to_owned(),
    };
    let mut write = store.write(actor).await.unwrap();
    for provider in providers {
        let document = Document::new(
            Kind::IdentityProvider,
            provider.id.0,
            provider.name.clone(),
            serde_json::json!({}),
        );
        write.put(&document).await.unwrap();
    }
    write.commit().await.unwrap();
}

/// Making RSA keys takes longer than everything else: all houses share two.
async fn signing_keys(store: &Store, sealer: &Sealer, clock: &Clock) -> Vec<SigningKeyRow> {
    static MADE: OnceCell<Vec<SigningKeyRow>> = OnceCell::const_new();
    let made = MADE.get_or_init(|| async {
        let kiln = Store::open(&"sqlite::memory:".into(), clock.clone())
            .await
            .unwrap();
        keys::ensure(&kiln, sealer, clock).await.unwrap();
        kiln.signing_keys().await.unwrap()
    });
    let rows = made.await.clone();
    for row in &rows {
        store.add_signing_key(row).await.unwrap();
    }
    rows
}

/// The configuration.
pub(super) struct Plan {
    pub(super) organization: Organization,
    pub(super) providers: Vec<IdentityProvider>,
    pub(super) applications: Vec<(Application, Vec<Policy>)>,
}

impl Plan {
    fn new(entra: &MockEntra) -> Self {
        let auth = AuthUrl::try_from(AUTH.parse::<Url>().unwrap()).unwrap();
        let everyone = policy(1, Selector::Everyone);
        let bob = policy(
            2,
            Selector::Email {
                email: demo::BOB.parse().unwrap(),
            },
        );
        Self {
            organization: Organization {
                name: "Example".to_owned(),
                auth,
                account_id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
                session_duration: "24h".parse().unwrap(),
                sign_out_at_provider: false,
                idle_timeout: None,
                logout_return_to: Vec::new(),
                auto_redirect_to_identity: None,
                custom_pages: crate::model::organization::OrganizationPages::default(),
                transfer_host: None,
                service_tokens: crate::model::service_token::ServiceTokenRules::default(),
                accept_unevaluated_selectors: std::collections::BTreeSet::new(),
                refusals: crate::model::refusals::Refusals::default(),
                login_design: crate::model::design::LoginDesign::PLAIN,
                seat_expiration: None,
                key_rotation_days: 42,
                in_file: std::collections::BTreeSet::new(),
            },
            providers: vec![provider(1, entra)],
            applications: vec![
                (application(1, "Wiki", "wiki.example.com"), vec![everyone.clone()]),
                (application(2, "Files", "files.example.com"), vec![everyone]),
                (application(3, "Vault", "vault.example.com"), vec![bob]),
            ],
        }
    }

    fn fill(self, empty: Snapshot) -> Snapshot {
        let applications: Vec<Arc<ProtectedApplication>> = self
            .applications
            .into_iter()
            .map(|(app, policies)| {
                let compiled = compile(app.id, &policies, &Arc::default()).unwrap();
                let policies = policies.into_iter().map(Arc::new).collect();
                Arc::new(ProtectedApplication::new(app, compiled, policies))
            })
            .collect();
        let entries = applications.iter().map(|known| Entry {
            destinations: known.app.destinations.clone(),
            case_insensitive: false,
            value: known.clone(),
        });
        Snapshot {
            providers: Arc::new(
                self.providers
                    .into_iter()
                    .map(|known| (known.id, Arc::new(known)))
                    .collect(),
            ),
            by_aud: applications
                .iter()
                .map(|known| (known.app.aud.clone(), known.clone()))
                .collect(),
            routes: Table::build(entries),
            applications: applications
                .into_iter()
                .map(|known| (known.app.id, known))
                .collect(),
            ..empty
        }
    }
}

fn provider(number: u128, entra: &MockEntra) -> IdentityProvider {
    let base: Url = entra.base_url().parse().unwrap();
    IdentityProvider {
        id: IdpId(Uuid::from_u128(number)),
        name: format!("Entra {number}"),
        scim: None,
        sync: None,
        entra: EntraSettings {
            client_id: demo::CLIENT_ID.to_owned(),
            directory_id: demo::TENANT.parse().unwrap(),
            credential: ClientCredential::Secret {
                current: demo::CLIENT_SECRET.into(),
                next: None,
            },
            secret_expires_at: None,
            cloud: Cloud {
                key: "mock".to_owned(),
                login: base.clone(),
                graph: base,
                instance_name: None,
                federation_audience: "api://AzureADTokenExchange".to_owned(),
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
        },
    }
}

pub(super) fn application(number: u128, name: &str, domain: &str) -> Application {
    Application {
        destinations: vec![domain.parse().unwrap()],
        custom_deny_message: Some("Ask the vault keeper.".to_owned()),
        ..Application::new(
            AppId(Uuid::from_u128(number)),
            sha256_hex(domain.as_bytes()).parse().unwrap(),
            name,
        )
    }
}

pub(super) fn policy(number: u128, include: Selector) -> Policy {
    let name = format!("policy {number}");
    Policy::new(
        PolicyId(Uuid::from_u128(number)),
        &name,
        Decision::Allow,
        vec![include],
    )
}

/// A browser: keeps cookies per host and goes where it is sent.
pub(super) struct Browser<'h> {
    house: &'h House,
    pub(super) jar: HashMap<(String, String), String>,
    /// Who signs in at Microsoft.
    pub(super) person: String,
    /// Whether it keeps cookies.
    pub(super) keeps: bool,
}

impl Browser<'_> {
    /// One request, no redirects.
    pub(super) async fn get(&mut self, url: &Url) -> Answered {
        self.ask(url, &[]).await
    }

    pub(super) async fn ask(&mut self, url: &Url, extra: &[(&'static str, &'static str)]) -> Answered {
        self.send(Method::GET, url, extra).await
    }

    pub(super) async fn send(
        &mut self,
        method: Method,
        url: &Url,
        extra: &[(&'static str, &'static str)],
    ) -> Answered {
        let host = url.host_str().unwrap().to_owned();
        let path: Uri = url[url::Position::BeforePath..url::Position::AfterQuery]
            .parse()
            .unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &host);
        let cookies: Vec<String> = self
            .jar
            .iter()
            .filter(|((of, _), _)| *of == host)
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        let (parts, body) = self.house.serve(request.body(()).unwrap()).await.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            self.keep(&host, set);
        }
        Answered {
            url: url.clone(),
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    fn keep(&mut self, host: &str, set: &HeaderValue) {
        let set = set.to_str().unwrap();
        let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
        let key = (host.to_owned(), name.to_owned());
        if set.contains("Max-Age=0") {
            self.jar.remove(&key);
        } else if self.keeps {
            self.jar.insert(key, value.to_owned());
        }
    }

    /// Goes where it is sent until something answers with a page.
    pub(super) async fn open(&mut self, address: &str) -> Answered {
        let mut url: Url = address.parse().unwrap();
        for _ in 0..20 {
            let answered = self.get(&url).await;
            if answered.status != StatusCode::FOUND {
                return answered;
            }
            url = answered.location();
            if self.is_microsofts(&url) {
                url = self.at_microsoft(&url).await;
            }
        }
        panic!("{address} goes round in circles");
    }

    /// Signs in up to the address of the callback.
    pub(super) async fn up_to_callback(&mut self, address: &str) -> Url {
        let challenge = self.get(&address.parse().unwrap()).await;
        let login = self.get(&challenge.location()).await;
        self.at_microsoft(&login.location()).await
    }

    pub(super) fn is_microsofts(&self, url: &Url) -> bool {
        url.as_str().starts_with(&self.house.entra.base_url())
    }

    /// Signs in at Microsoft and gives the address it sends the browser back to.
    pub(super) async fn at_microsoft(&self, url: &Url) -> Url {
        let signed_in: Url = MockEntra::signed_in_as(url.as_str(), &self.person)
            .parse()
            .unwrap();
        let address = (signed_in.host_str().unwrap(), signed_in.port().unwrap());
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let path = &signed_in[url::Position::BeforePath..];
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            address.0
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let location = answer
            .lines()
            .find_map(|line| {
                line.strip_prefix("location: ")
                    .or_else(|| line.strip_prefix("Location: "))
            })
            .unwrap_or_else(|| panic!("Microsoft answered {answer}"));
        location.trim().parse().unwrap()
    }

    pub(super) fn cookie(&self, host: &str, name: &str) -> Option<&str> {
        self.jar
            .get(&(host.to_owned(), name.to_owned()))
            .map(String::as_str)
    }
}
