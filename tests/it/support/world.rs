//! The whole world of a login in one process: the real gateway, a mock Entra tenant, a recording origin.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use mock_entra::MockEntra;
use secrecy::ExposeSecret as _;
use vestibule::app::{self, Running};
use vestibule::clock::Clock;
use vestibule::config::{self, Config};
use vestibule::store::{Actor, ActorKind, Store};

use super::database::Database;
use super::origin::Origin;
use super::person::Person;
use super::tenant;
use super::wire::{Dial, Reply};
use super::{certificates, log};

/// A world in which people sign in at *Wiki* (`wiki`, with parts for everyone and for administrators) and *Other*.
pub(crate) struct World {
    pub(crate) entra: MockEntra,
    pub(crate) origin: Origin,
    /// Moves for the gateways and for Entra alike.
    pub(crate) clock: Clock,
    plan: Plan,
    database: Arc<Database>,
    gateways: Vec<Gateway>,
    front: Option<Front>,
    directory: tempfile::TempDir,
}

/// The place of a proxy before the gateway, at which people arrive.
struct Front {
    address: SocketAddr,
    // Bound and never listened on, as for a gateway: whoever listens there sets `SO_REUSEADDR`.
    _reserved: socket2::Socket,
}

/// One gateway and the address it keeps over restarts.
pub(crate) struct Gateway {
    dial: Dial,
    file: PathBuf,
    running: Option<Running>,
    // Bound and never listened on: keeps the port ours while the gateway is down.
    _reserved: socket2::Socket,
}

/// What a world shall be like.
#[derive(Clone)]
pub(crate) struct Plan {
    tls: bool,
    gateways: usize,
    organization: String,
    store: String,
    provider: String,
    provider_name: String,
    wiki: String,
    wiki_policies: Option<String>,
    more: String,
    listen: String,
    forward_auth: bool,
    auth_host: Option<String>,
}

/// The plan of a world, before it starts.
pub(crate) struct Builder {
    plan: Plan,
    database: Option<Arc<Database>>,
}

impl World {
    /// One gateway on plain http with a database of its own in a file.
    pub(crate) async fn start() -> Self {
        Self::builder().start().await
    }

    pub(crate) fn builder() -> Builder {
        Builder {
            plan: Plan {
                tls: false,
                gateways: 1,
                organization: String::new(),
                // Tests move the clock further than a store may be silent.
                store: "grace = \"24h\"".to_owned(),
                provider: String::new(),
                provider_name: "Entra ID".to_owned(),
                wiki: String::new(),
                wiki_policies: Some("[\"staff\"]".to_owned()),
                more: String::new(),
                listen: String::new(),
                forward_auth: false,
                auth_host: None,
            },
            database: None,
        }
    }

    /// Scheme of all addresses.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.plan.tls { "https" } else { "http" }
    }

    /// The host behind a short name: `login`, `wiki`, `other`.
    pub(crate) fn host(&self, name: &str) -> String {
        self.plan.host(name)
    }

    /// The port in all addresses.
    pub(crate) fn port(&self) -> u16 {
        self.dial().address.port()
    }

    /// Where a proxy before the gateway listens, and people arrive.
    pub(crate) fn front(&self) -> SocketAddr {
        self.front.as_ref().expect("a world with forward-auth").address
    }

    /// Where such a proxy asks.
    pub(crate) fn forward_auth(&self) -> SocketAddr {
        self.running().forward_auth.expect("a world with forward-auth")
    }

    /// Host and port, as in the `Host` header.
    pub(crate) fn authority(&self, name: &str) -> String {
        format!("{}:{}", self.host(name), self.port())
    }

    /// How people reach the first gateway, or the proxy before it.
    pub(crate) fn dial(&self) -> Dial {
        match &self.front {
            Some(front) => Dial::plain(front.address),
            None => self.dial_of(0),
        }
    }

    /// How to reach one of several gateways.
    pub(crate) fn dial_of(&self, gateway: usize) -> Dial {
        self.gateways[gateway].dial.clone()
    }

    /// A browser at which this person sits, with no cookie yet.
    pub(crate) fn person(&self, upn: &str) -> Person {
        Person::new(Some(upn), self.dial(), self.scheme(), self.port())
    }

    /// The same at one of several gateways.
    pub(crate) fn person_at(&self, gateway: usize, upn: &str) -> Person {
        Person::new(Some(upn), self.dial_of(gateway), self.scheme(), self.port())
    }

    /// A browser with nobody in it.
    pub(crate) fn anonymous(&self) -> Person {
        Person::new(None, self.dial(), self.scheme(), self.port())
    }

    /// Asks the API, below `/client/v4`, in nobody's browser.
    pub(crate) async fn api(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut client = self.anonymous();
        let url = client.address(&self.host("login"), &format!("/client/v4{path}"));
        client.request(method, &url, headers, body).await
    }

    /// A person who has opened these hosts and been let in.
    pub(crate) async fn signed_in(&self, upn: &str, hosts: &[&str]) -> Person {
        let mut person = self.person(upn);
        for host in hosts {
            let arrival = person.open(&self.host(host), "/").await;
            assert_eq!(arrival.status(), 200, "{upn} at {host}: {}", arrival.text());
        }
        person
    }

    /// The running first gateway.
    pub(crate) fn running(&self) -> &Running {
        self.running_of(0)
    }

    /// One of several running gateways.
    pub(crate) fn running_of(&self, gateway: usize) -> &Running {
        self.gateways[gateway].running.as_ref().expect("the gateway runs")
    }

    /// A store of one's own on the gateways' database, as another process has it.
    pub(crate) async fn store(&self) -> Store {
        self.database.store_at(&self.clock).await
    }

    /// The gateways' database, to be written behind their backs, or for a world that comes after this one.
    pub(crate) fn database(&self) -> Arc<Database> {
        Arc::clone(&self.database)
    }

    /// Moves the time of everything there is.
    pub(crate) fn pass(&self, time: SignedDuration) {
        self.clock.advance(time);
    }

    /// Stops the first gateway.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.gateways[0].running.take() {
            running.stop(PATIENCE).await;
        }
    }

    /// Stops the first gateway and starts it anew on the same address and database.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.gateways[0].running = Some(run(&self.gateways[0].file, &self.clock).await);
    }

    /// Writes other objects, as an administrator does, through the first gateway.
    pub(crate) async fn declare(&mut self, change: impl FnOnce(Builder) -> Builder) {
        let builder = Builder {
            plan: self.plan.clone(),
            database: None,
        };
        self.plan = change(builder).plan;
        let file = &self.gateways[0].file;
        std::fs::write(file, self.text(0)).unwrap();
        let manage = &self.running().manage;
        let declared = read(file).declarations.resolve(manage.account());
        let actor = Actor {
            kind: ActorKind::File,
            name: "a test".to_owned(),
        };
        manage
            .reconcile(&declared, actor, vestibule::manage::OlderFile::Applied)
            .await
            .unwrap();
    }

    /// The configuration file of the first gateway.
    pub(crate) fn file(&self) -> &Path {
        &self.gateways[0].file
    }

    fn text(&self, gateway: usize) -> String {
        let plan = &self.plan;
        let groups = plan.groups();
        let own = self.gateways[gateway].dial.address;
        let (login, wiki, other) = (plan.host("login"), plan.host("wiki"), plan.host("other"));
        let listen = if plan.tls {
            let at = self.directory.path().display();
            format!(
                "https = \"{own}\"\ncertificates = [{{ chain = \"{at}/tls.crt\", key = \"{at}/tls.key\" }}]"
            )
        } else {
            format!("http = \"{own}\"")
        };
        let asked = if plan.forward_auth {
            format!(
                "trusted_proxies = [\"127.0.0.1/32\"]\nforward_auth = {{ address = \"127.0.0.1:0\", \
                 peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
            )
        } else {
            String::new()
        };
        let (scheme, port) = (self.scheme(), self.port());
        let (tenant, client, secret) = (tenant::TENANT, tenant::CLIENT, tenant::SECRET);
        let (staff, admins) = (tenant::STAFF, tenant::ADMINS);
        let (entra, origin, url) = (self.entra.base_url(), self.origin.address, self.database.url());
        let Plan {
            organization,
            store,
            provider,
            provider_name,
            more,
            listen: listen_more,
            ..
        } = plan;
        let url = url.expose_secret();
        // Tables of a test know where the application is only now.
        let more = more.replace("ORIGIN", &origin.to_string());
        let wiki_application = plan.wiki_policies.as_ref().map_or_else(String::new, |policies| {
            format!(
                "[[applications]]\nname = \"Wiki\"\ndomain = \"{wiki}\"\npolicies = {policies}\n{}",
                plan.wiki
            )
        });
        format!(
            r#"
[organization]
name = "Example"
auth_url = "{scheme}://{login}:{port}"
account_id = "{ACCOUNT}"
{organization}
[listen]
{listen}
{asked}
{listen_more}
[store]
url = "{url}"
{store}
[secrets]
master_key = "{MASTER_KEY}"
[clouds.mock]
login = "{entra}"
graph = "{entra}"
[[upstreams]]
hostname = "{wiki}"
service = "http://{origin}"
[[upstreams]]
hostname = "{other}"
service = "http://{origin}"
[[identity_providers]]
name = "{provider_name}"
type = "azureAD"
[identity_providers.config]
client_id = "{client}"
directory_id = "{tenant}"
client_secret = "{secret}"
{groups}
pkce_enabled = true
azure_cloud = "mock"
{provider}
[[policies]]
name = "staff"
decision = "allow"
include = [{{ azureAD = {{ id = "{staff}", identity_provider = "{provider_name}" }} }}]
{wiki_application}
[[applications]]
name = "Public part"
domain = "{wiki}/public"
policies = [{{ name = "public", decision = "bypass", include = [{{ everyone = {{}} }}] }}]
[[applications]]
name = "Administration"
domain = "{wiki}/admin"
path_cookie_attribute = true
policies = [{{ name = "administrators", decision = "allow", include = [{{ azureAD = {{ id = "{admins}", identity_provider = "{provider_name}" }} }}] }}]
[[applications]]
name = "Other"
domain = "{other}"
policies = ["staff"]
{more}
"#
        )
    }
}

impl Plan {
    /// Whether groups are fetched, unless a test says so itself.
    fn groups(&self) -> &'static str {
        if self.provider.contains("support_groups") {
            ""
        } else {
            "support_groups = true"
        }
    }

    fn host(&self, name: &str) -> String {
        if let (Some(host), "login") = (&self.auth_host, name) {
            return host.clone();
        }
        // `.localhost` is loopback by standard (RFC 6761), `.test` nobody's.
        format!("{name}.{}", if self.tls { "test" } else { "localhost" })
    }
}

/// Lines of configuration are added at the end of their table.
impl Builder {
    /// TLS with a certificate of its own authority, HTTP/2 by ALPN.
    pub(crate) fn tls(mut self) -> Self {
        self.plan.tls = true;
        self
    }

    /// Several gateways on one database.
    pub(crate) fn gateways(mut self, number: usize) -> Self {
        self.plan.gateways = number;
        self
    }

    pub(crate) fn on(mut self, database: &Arc<Database>) -> Self {
        self.database = Some(Arc::clone(database));
        self
    }

    /// The auth host under another name than `login`.
    pub(crate) fn auth_host(mut self, host: &str) -> Self {
        self.plan.auth_host = Some(host.to_owned());
        self
    }

    pub(crate) fn organization(mut self, lines: &str) -> Self {
        self.plan.organization = lines.to_owned();
        self
    }

    pub(crate) fn listen(mut self, lines: &str) -> Self {
        self.plan.listen = lines.to_owned();
        self
    }

    /// With a proxy before the gateway, which asks it and has the applications behind itself.
    pub(crate) fn forward_auth(mut self) -> Self {
        self.plan.forward_auth = true;
        self
    }

    pub(crate) fn store(mut self, lines: &str) -> Self {
        self.plan.store = lines.to_owned();
        self
    }

    pub(crate) fn provider(mut self, lines: &str) -> Self {
        self.plan.provider = lines.to_owned();
        self
    }

    pub(crate) fn wiki(mut self, lines: &str) -> Self {
        self.plan.wiki = lines.to_owned();
        self
    }

    /// The policies of *Wiki*, as a list in TOML.
    pub(crate) fn wiki_policies(mut self, list: &str) -> Self {
        self.plan.wiki_policies = Some(list.to_owned());
        self
    }

    /// *Wiki* is there no more.
    pub(crate) fn without_wiki(mut self) -> Self {
        self.plan.wiki_policies = None;
        self
    }

    /// Another provider in place of the one there was: its name is what it is known by.
    pub(crate) fn provider_named(mut self, name: &str) -> Self {
        self.plan.provider_name = name.to_owned();
        self
    }

    /// Further tables at the end of the file.
    pub(crate) fn more(mut self, tables: &str) -> Self {
        self.plan.more = tables.to_owned();
        self
    }

    pub(crate) async fn start(self) -> World {
        log::capture();
        let plan = self.plan;
        let directory = tempfile::tempdir().unwrap();
        let hosts: Vec<String> = ["login", "wiki", "other", "www", "unlisted"]
            .iter()
            .map(|name| plan.host(name))
            .collect();
        let roots = plan.tls.then(|| certificates::write(directory.path(), &hosts));
        let clock = Clock::system();
        let gateways: Vec<Gateway> = (0..plan.gateways)
            .map(|number| {
                let (reserved, address) = reserve();
                Gateway {
                    dial: Dial {
                        address,
                        roots: roots.clone(),
                        certificate: None,
                    },
                    file: directory.path().join(format!("vestibule-{number}.toml")),
                    running: None,
                    _reserved: reserved,
                }
            })
            .collect();
        let front = plan.forward_auth.then(|| {
            let (reserved, address) = reserve();
            Front {
                address,
                _reserved: reserved,
            }
        });
        let arriving = front
            .as_ref()
            .map_or(gateways[0].dial.address, |front| front.address);
        let auth = format!(
            "{}://{}:{}/cdn-cgi/access",
            if plan.tls { "https" } else { "http" },
            plan.host("login"),
            arriving.port()
        );
        let directory_of_people = tenant::directory(
            &format!("{auth}/callback"),
            &format!("{auth}/frontchannel-logout"),
        );
        let time = clock.clone();
        directory_of_people.clock(Arc::new(move || time.now_seconds()));
        let mut world = World {
            entra: MockEntra::start(&directory_of_people).await.unwrap(),
            origin: Origin::start().await,
            clock,
            plan,
            database: self.database.unwrap_or_else(|| Arc::new(Database::sqlite())),
            gateways,
            front,
            directory,
        };
        for number in 0..world.gateways.len() {
            std::fs::write(&world.gateways[number].file, world.text(number)).unwrap();
            let running = run(&world.gateways[number].file, &world.clock).await;
            world.gateways[number].running = Some(running);
        }
        world
    }
}

impl Drop for World {
    /// Stops what still runs: the cores are threads of their own and would stay.
    fn drop(&mut self) {
        for running in self
            .gateways
            .iter_mut()
            .filter_map(|gateway| gateway.running.take())
        {
            let shutdown = running.shutdown().clone();
            // Its own runtime: that of the test may be gone, or be this very thread's.
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(shutdown.finish(Duration::ZERO));
            });
        }
    }
}

/// How long open requests may take when a gateway is stopped.
const PATIENCE: Duration = Duration::from_millis(200);

/// Reads the file and runs a gateway by it, as `vestibule serve` does.
async fn run(file: &Path, clock: &Clock) -> Running {
    app::start(read(file), None, clock.clone()).await.unwrap()
}

fn read(file: &Path) -> Config {
    config::load(file, &|_| None).unwrap_or_else(|faults| panic!("{faults}"))
}

/// The account of every world.
pub(crate) const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";

/// What proxies that ask prove themselves with.
pub(crate) const FORWARD_AUTH_SECRET: &str = "the-secret-between-proxy-and-gateway";

/// Seals everything; 32 bytes in hexadecimal.
pub(crate) const MASTER_KEY: &str = "6d61737465722d6b65792d6f662d7468652d74657374732d33322d6279746573";

/// A free port that stays free for us: others cannot bind it, and nobody is connected to a socket that does not listen.
fn reserve() -> (socket2::Socket, SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_port(true).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket
        .bind(&SocketAddr::from((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).into())
        .unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}
