//! `vestibule check`: every mistake of a file at once, or what it means. Changes nothing.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use secrecy::ExposeSecret as _;
use serde_json::Value;
use uuid::Uuid;

use super::{Exit, Terminal, opened};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::declared::{Declared, DeclaredKind};
use crate::manage;
use crate::model::ids::AccountId;
use crate::model::upstream::Service;
use crate::store::{Kind, Store, StoreError};

pub(super) async fn run(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let config = match opened::read(file, terminal)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    for warning in &config.warnings {
        writeln!(terminal.err, "warning: {warning}")?;
    }
    writeln!(terminal.out, "{} is fine", file.display())?;
    let known = match known(&config).await {
        Ok(known) => known,
        Err(error) => {
            writeln!(
                terminal.err,
                "warning: what the store holds is not shown: {error}"
            )?;
            Known::default()
        }
    };
    summary(&config, &known, terminal.out)?;
    Ok(Exit::Fine)
}

/// What only the store knows.
#[derive(Default)]
struct Known {
    account: Option<AccountId>,
    audiences: HashMap<Uuid, String>,
}

/// Reads the store if there is one. It is neither made nor migrated for a check.
async fn known(config: &Config) -> Result<Known, StoreError> {
    let Some(store) = Store::open_existing(&config.store.url, Clock::system()).await? else {
        return Ok(Known::default());
    };
    let account = manage::stored_account(&store).await?;
    let applications = store.documents(Kind::Application).await?;
    store.close().await;
    let aud = |body: &Value| body.get("aud").and_then(Value::as_str).map(str::to_owned);
    Ok(Known {
        account,
        audiences: applications
            .iter()
            .filter_map(|document| Some((document.id, aud(&document.body)?)))
            .collect(),
    })
}

fn summary(config: &Config, known: &Known, out: &mut dyn Write) -> io::Result<()> {
    let auth = &config.organization.auth;
    writeln!(out, "\norganization      {}", config.organization.name)?;
    let written = config.organization.account_id.as_ref();
    match known.account.as_ref().or(written) {
        Some(account) => writeln!(out, "account           {account}")?,
        None => writeln!(out, "account           given at first start")?,
    }
    writeln!(out, "auth host         {}", auth.origin())?;
    writeln!(out, "redirect address  {}", auth.callback())?;
    writeln!(
        out,
        "front-channel     {}",
        auth.address("/cdn-cgi/access/frontchannel-logout")
    )?;
    writeln!(
        out,
        "store             {}",
        store_kind(config.store.url.expose_secret())
    )?;
    if let Some(https) = &config.listen.https {
        writeln!(out, "https             {}", https.address)?;
    }
    if let Some(http) = config.listen.http {
        writeln!(out, "http              {http}")?;
    }
    if let Some(forward_auth) = &config.listen.forward_auth {
        writeln!(out, "forward-auth      {}", forward_auth.address)?;
    }
    // Without an account there are no ids yet; what is listed does not show them.
    let account = known
        .account
        .clone()
        .or_else(|| written.cloned())
        .or_else(|| "0".repeat(32).parse().ok());
    let declared = account
        .map(|account| config.declarations.resolve(&account))
        .unwrap_or_default();
    let of_kind = |kind| declared.iter().filter(move |object| object.kind == kind);
    writeln!(out, "\nidentity providers")?;
    for provider in of_kind(DeclaredKind::IdentityProvider) {
        let directory = text(provider, "/config/directory_id").unwrap_or_default();
        writeln!(out, "  {}  directory {directory}", provider.name)?;
    }
    writeln!(out, "\napplications")?;
    for application in of_kind(DeclaredKind::Application) {
        let written = text(application, "/aud");
        let aud = written.or_else(|| known.audiences.get(&application.id).map(String::as_str));
        let aud = aud.unwrap_or("given at first start");
        writeln!(
            out,
            "  {}  {}  aud {aud}",
            application.name,
            addresses(application).join(" ")
        )?;
    }
    writeln!(out, "\nupstreams")?;
    for upstream in &config.upstreams {
        writeln!(out, "  {} -> {}", upstream.covers, service(&upstream.service))?;
    }
    Ok(())
}

fn text<'d>(object: &'d Declared, pointer: &str) -> Option<&'d str> {
    object.body.pointer(pointer).and_then(Value::as_str)
}

fn addresses(application: &Declared) -> Vec<&str> {
    let list = application
        .body
        .get("self_hosted_domains")
        .and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The store without its address, which may hold a password.
fn store_kind(url: &str) -> &str {
    match url.strip_prefix("sqlite:") {
        Some(_) => url,
        None => "PostgreSQL",
    }
}

fn service(service: &Service) -> String {
    match service {
        Service::Http { host, port } => format!("http://{host}:{port}"),
        Service::Https { host, port } => format!("https://{host}:{port}"),
        Service::Unix(path) => format!("unix:{}", path.display()),
    }
}
