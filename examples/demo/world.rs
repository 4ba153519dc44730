//! Everything the demo runs, started in one process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;

use anyhow::Context as _;
use mock_entra::{Directory, MemberRef, MockEntra, Provisioning, demo};
use vestibule::app::{self, Running};
use vestibule::clock::Clock;
use vestibule::config::{self, Surroundings};

use super::apps;

/// The demo, running.
pub(crate) struct World {
    /// The gateway.
    pub(crate) gateway: Running,
    /// The mock tenant; changes to its directory take effect at once.
    pub(crate) entra: MockEntra,
    /// Its port.
    pub(crate) port: u16,
}

/// What the gateway is started from.
pub(crate) struct Settings {
    text: String,
}

impl World {
    /// Starts the demo on this port of the loopback address; 0 takes a free one. `store` is the URL of its store.
    pub(crate) async fn start(port: u16, store: &str) -> anyhow::Result<(Self, Settings)> {
        let port = if port == 0 { free_port()? } else { port };
        let directory = Directory::demo();
        directory.tenant(demo::TENANT).edit_app(demo::CLIENT_ID, |app| {
            app.redirect_uri(format!("http://login.localhost:{port}/cdn-cgi/access/callback"))
                .redirect_uri(format!("http://login.localhost:{port}/cdn-cgi/access/logged-out"))
                .front_channel_logout(format!(
                    "http://login.localhost:{port}/cdn-cgi/access/frontchannel-logout"
                ))
        });
        let entra = MockEntra::start(&directory)
            .await
            .context("the mock tenant cannot be started")?;
        let auth = apps::Gateway {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            auth_host: format!("login.localhost:{port}"),
        };
        let wiki = apps::start_wiki(auth).await?;
        let live = apps::start_live().await?;
        let settings = Settings {
            text: configuration(port, store, &entra.base_url(), wiki, live),
        };
        let gateway = settings.start().await?;
        provision(&gateway, &directory, port).await?;
        Ok((Self { gateway, entra, port }, settings))
    }

    /// An address of the demo, such as `http://wiki.localhost:8080/`.
    pub(crate) fn address(&self, name: &str, path: &str) -> String {
        format!("http://{name}.localhost:{}{path}", self.port)
    }
}

/// Has the mock tenant provision into the gateway, as an administrator sets it up in Entra.
async fn provision(gateway: &Running, directory: &Directory, port: u16) -> anyhow::Result<()> {
    let snapshot = gateway.published.load();
    let provider = snapshot
        .providers
        .keys()
        .next()
        .context("the demo has a provider")?;
    let tenant_url = format!("http://login.localhost:{port}/populations/{provider}/scim/v2");
    // People are assigned themselves as well: in Entra, whoever is assigned by a group alone is put out with leaving it.
    let job = Provisioning::new(directory, demo::TENANT, &tenant_url, SCIM_SECRET)
        .assign(MemberRef::user(demo::ALICE_OID))
        .assign(MemberRef::user(demo::BOB_OID))
        .assign(MemberRef::user(demo::EVE_OID))
        .assign(MemberRef::group(demo::ENGINEERING))
        .assign(MemberRef::group(demo::SALES))
        .assign(MemberRef::group(demo::ALL_STAFF));
    let report = job.cycle().await;
    anyhow::ensure!(
        report.failures.is_empty(),
        "the directory cannot provision: {:?}",
        report.failures
    );
    directory.provision_with(&job);
    Ok(())
}

/// What the mock tenant proves itself with.
const SCIM_SECRET: &str = "a-secret-of-the-demo-which-guards-nothing-worth-having";

impl Settings {
    /// Starts the gateway: the first, or another over the same store.
    pub(crate) async fn start(&self) -> anyhow::Result<Running> {
        let surroundings = Surroundings {
            env: &|_| None,
            read: &|path| std::fs::read(path),
        };
        let config = config::load_text(Path::new("demo.toml"), &self.text, surroundings)
            .map_err(|faults| anyhow::anyhow!("{faults}"))?;
        app::start(config, None, Clock::system()).await
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The demo's configuration: what an operator would write into a file.
fn configuration(port: u16, store: &str, entra: &str, wiki: SocketAddr, live: SocketAddr) -> String {
    let (tenant, client, secret) = (demo::TENANT, demo::CLIENT_ID, demo::CLIENT_SECRET);
    let engineering = demo::ENGINEERING;
    format!(
        r#"
[organization]
name = "Contoso"
auth_url = "http://login.localhost:{port}"

[listen]
http = "127.0.0.1:{port}"

[store]
url = "{store}"

[secrets]
master_key = "a key for the demo, which keeps nothing worth keeping"

[log]
level = "warn"

[clouds.mock]
login = "{entra}"
graph = "{entra}"

[[upstreams]]
hostname = "wiki.localhost"
service = "http://{wiki}"

[[upstreams]]
hostname = "live.localhost"
service = "http://{live}"

[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = {{ client_id = "{client}", client_secret = "{secret}", directory_id = "{tenant}", support_groups = true, azure_cloud = "mock" }}
scim_config = {{ enabled = true, user_deprovision = true, identity_update_behavior = "automatic" }}
scim_secret = "{SCIM_SECRET}"

[[applications]]
name = "Wiki"
domain = "wiki.localhost"
policies = [{{ name = "Everybody at Contoso", decision = "allow", include = [{{ email_domain = {{ domain = "contoso.example" }} }}] }}]

[[applications]]
name = "Live"
domain = "live.localhost"
custom_deny_message = "Live is for the engineering team. Ask them for an invitation."
policies = [{{ name = "Engineering", decision = "allow", include = [{{ azureAD = {{ id = "{engineering}" }} }}] }}]

[[applications]]
name = "Wiki, public part"
domain = "wiki.localhost/public"
policies = [{{ name = "Open to all", decision = "bypass", include = [{{ everyone = {{}} }}] }}]
"#
    )
}
