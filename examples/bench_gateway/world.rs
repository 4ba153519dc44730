//! A gateway before one upstream, with a person already signed in: what the benchmarks measure.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, bail};
use http::header::{COOKIE, HOST, LOCATION, SET_COOKIE};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use mock_entra::{Directory, MockEntra, demo};
use tokio::net::TcpStream;
use url::Url;
use vestibule::app::{self, Running};
use vestibule::clock::Clock;
use vestibule::config::{self, Surroundings};

/// A gateway to be measured.
pub(crate) struct World {
    /// The gateway, which ends with this value.
    pub(crate) gateway: Running,
    /// The mock tenant. Kept likewise.
    pub(crate) _entra: MockEntra,
    /// The `Cookie` header of the person signed in.
    pub(crate) cookie: String,
}

/// Where a gateway keeps what it keeps, and what else its provider says.
#[derive(Clone, Copy)]
pub(crate) struct Kept<'k> {
    /// The address of its store.
    pub(crate) store: &'k str,
    /// Lines of the configuration file.
    pub(crate) provider: &'k str,
}

impl World {
    /// Starts a gateway at this address before this upstream, and signs somebody in.
    ///
    /// The host in the address is the protected application; the paths under `/open` are open to everybody.
    pub(crate) async fn start(
        listen: SocketAddr,
        upstream: SocketAddr,
        kept: Kept<'_>,
    ) -> anyhow::Result<Self> {
        let directory = Directory::demo();
        let callback = format!("http://localhost:{}/cdn-cgi/access/callback", listen.port());
        directory
            .tenant(demo::TENANT)
            .edit_app(demo::CLIENT_ID, |app| app.redirect_uri(callback));
        let entra = MockEntra::start(&directory).await?;
        let text = configuration(listen, upstream, &entra.base_url(), kept);
        let surroundings = Surroundings {
            env: &|_| None,
            read: &|path| std::fs::read(path),
        };
        let config = config::load_text(Path::new("bench.toml"), &text, surroundings)
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        let gateway = app::start(config, None, Clock::system()).await?;
        let cookie = sign_in(listen).await?;
        Ok(Self {
            gateway,
            _entra: entra,
            cookie,
        })
    }
}

fn configuration(listen: SocketAddr, upstream: SocketAddr, entra: &str, kept: Kept<'_>) -> String {
    let Kept { store, provider } = kept;
    let (tenant, client, secret) = (demo::TENANT, demo::CLIENT_ID, demo::CLIENT_SECRET);
    let (host, port, group) = (listen.ip(), listen.port(), demo::ENGINEERING);
    format!(
        r#"
[organization]
name = "Benchmark"
auth_url = "http://localhost:{port}"
[listen]
http = "{listen}"
[store]
url = "{store}"
[secrets]
master_key = "a key for the benchmark, which keeps nothing worth keeping"
[clouds.mock]
login = "{entra}"
graph = "{entra}"
[[upstreams]]
hostname = "{host}"
service = "http://{upstream}"
[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = {{ client_id = "{client}", client_secret = "{secret}", directory_id = "{tenant}", support_groups = true, azure_cloud = "mock" }}
{provider}
[[applications]]
name = "Protected"
domain = "{host}"
policies = [{{ name = "Engineering", decision = "allow", include = [{{ azureAD = {{ id = "{group}" }} }}] }}]
[[applications]]
name = "Open"
domain = "{host}/open"
policies = [{{ name = "Everybody", decision = "bypass", include = [{{ everyone = {{}} }}] }}]
"#
    )
}

/// Follows the login from an address of the application to its end; gives the `Cookie` header for that host.
pub(crate) async fn sign_in(gateway: SocketAddr) -> anyhow::Result<String> {
    let start = format!("http://{gateway}/small");
    let mut url: Url = start.parse()?;
    let mut cookies: Vec<(String, String)> = Vec::new();
    for _ in 0..10 {
        if url.path().ends_with("/oauth2/v2.0/authorize") {
            url.query_pairs_mut().append_pair("mock_user", demo::ALICE);
        }
        let host = url.host_str().context("an address without host")?.to_owned();
        let own: Vec<&str> = cookies
            .iter()
            .filter(|(of, _)| *of == host)
            .map(|(_, pair)| pair.as_str())
            .collect();
        let (location, set) = ask(&url, &own.join("; ")).await?;
        cookies.extend(set.into_iter().map(|pair| (host.clone(), pair)));
        let token = cookies
            .iter()
            .find(|(of, pair)| start.contains(of) && pair.starts_with("CF_Authorization="));
        if let Some((_, pair)) = token {
            return Ok(pair.clone());
        }
        url = url.join(&location)?;
    }
    bail!("the login did not come to an end")
}

async fn ask(url: &Url, cookie: &str) -> anyhow::Result<(String, Vec<String>)> {
    let address = url
        .socket_addrs(|| None)?
        .into_iter()
        .find(SocketAddr::is_ipv4)
        .context("no IPv4 address")?;
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let target = url
        .as_str()
        .get(url.origin().ascii_serialization().len()..)
        .unwrap_or("/");
    let target = target.split('#').next().unwrap_or(target);
    let authority = format!("{}:{}", url.host_str().unwrap_or_default(), address.port());
    let mut request = http::Request::get(target).header(HOST, authority);
    if !cookie.is_empty() {
        request = request.header(COOKIE, cookie);
    }
    let response = sender
        .send_request(request.body(Empty::<bytes::Bytes>::new())?)
        .await?;
    let headers = response.headers();
    let location = headers
        .get(LOCATION)
        .with_context(|| format!("{} from {url}", response.status()))?;
    let location = location.to_str()?.to_owned();
    let set = headers.get_all(SET_COOKIE).iter();
    let set = set
        .filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned()))
        .collect();
    response.into_body().collect().await?;
    Ok((location, set))
}
