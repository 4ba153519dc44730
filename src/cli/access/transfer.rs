//! Tokens by way of the browser: the person signs in there and says yes, and this waits for the box.

use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::discover::Application;
use super::keep::Name;
use super::obtain::Obtained;
use super::tokens::Keys;
use super::trouble::Trouble;
use super::web::Reply;
use super::{Access, Terminal};
use crate::crypto::transfer::{Boxed, TransferPair};

/// How long the person may take; the auth host forgets the request then too.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long one answer may take: the auth host gives one in most of a minute.
const ONE_ANSWER: Duration = Duration::from_secs(75);
/// Between two questions where the answer came at once.
const PAUSE: Duration = Duration::from_secs(1);
/// How often in a row the auth host may not answer before the command gives up.
const FAILURES: u32 = 5;

#[derive(Deserialize)]
struct Tokens {
    app_token: String,
    org_token: String,
}

/// Opens the browser, waits, checks what comes and keeps it.
pub(super) async fn run(
    access: &Access,
    application: &Application,
    browser: bool,
    terminal: &mut Terminal<'_>,
) -> Result<Obtained, Trouble> {
    let pair = TransferPair::generate();
    let address = request_address(application, &pair);
    let opened = browser && open_browser(&address);
    let what = if opened {
        "The browser is being opened. If nothing comes up, open this address yourself:"
    } else {
        "Open this address in a browser:"
    };
    writeln!(
        terminal.err,
        "{what}\n\n  {address}\n\nGo on there only if the page shows this code: {}\n",
        pair.public().code()
    )?;
    terminal.err.flush()?;
    let boxed = wait(access, application, &pair).await?;
    let tokens: Tokens = pair
        .open(&boxed)
        .and_then(|plain| serde_json::from_slice(&plain).ok())
        .ok_or_else(|| foreign(application))?;
    let keys = Keys::of(&access.web, &application.auth).await?;
    let organization = keys
        .organization_token(&tokens.org_token)
        .ok_or_else(|| foreign(application))?;
    let token = keys
        .application_token(&tokens.app_token, &application.aud)
        .ok_or_else(|| foreign(application))?;
    let (keep, auth) = (&access.keep, &application.auth);
    keep.put(auth, &Name::Organization, &organization.text)?;
    keep.put(auth, &Name::Application(&application.aud), &token.text)?;
    Ok(token)
}

fn foreign(application: &Application) -> Trouble {
    Trouble::Untrusted(format!(
        "what came from {} is not for {}",
        application.auth.host(),
        application.address
    ))
}

/// As cloudflared has it, and what this program calls itself.
fn request_address(application: &Application, pair: &TransferPair) -> Url {
    let key = pair.public().to_string();
    let mut back = application.address.url().clone();
    back.query_pairs_mut()
        .append_pair("aud", application.aud.as_str())
        .append_pair("token", &key);
    let name = match host_name() {
        Some(host) => format!("vestibule access on {host}"),
        None => "vestibule access".to_owned(),
    };
    application.address.at(
        "/cdn-cgi/access/cli",
        &[
            ("token", &key),
            ("aud", application.aud.as_str()),
            ("redirect_url", back.as_str()),
            ("send_org_token", "true"),
            ("edge_token_transfer", "true"),
            ("agent", &name),
        ],
    )
}

async fn wait(access: &Access, application: &Application, pair: &TransferPair) -> Result<Boxed, Trouble> {
    let auth = &application.auth;
    let url: Url = auth
        .address(&format!("/transfer/{}", pair.public()))
        .parse()
        .map_err(|_| foreign(application))?;
    let until = Instant::now() + PATIENCE;
    let mut failures = 0;
    while Instant::now() < until {
        match access.web.wait(&url, ONE_ANSWER).await {
            Ok(reply) if reply.status == StatusCode::OK => {
                return boxed(&reply).ok_or_else(|| foreign(application));
            }
            Ok(reply) if !reply.status.is_server_error() => failures = 0,
            Ok(_) | Err(_) if failures < FAILURES => failures += 1,
            Ok(reply) => {
                return Err(Trouble::Unavailable(format!(
                    "{} cannot hand over tokens now ({})",
                    auth.host(),
                    reply.status
                )));
            }
            Err(trouble) => return Err(trouble),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Trouble::Refused(
        "nobody approved it within ten minutes".to_owned(),
    ))
}

fn boxed(reply: &Reply) -> Option<Boxed> {
    Some(Boxed {
        body: STANDARD.decode(reply.body.trim_ascii()).ok()?,
        service_key: reply.header("service-public-key")?.parse().ok()?,
    })
}

/// Whether a browser could be started.
fn open_browser(address: &Url) -> bool {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = Command::new(program)
        .arg(address.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.is_ok()
}

/// What this machine is called, for the person who sees the page.
fn host_name() -> Option<String> {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let mut named = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    let name = named.next()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
