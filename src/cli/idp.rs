//! `vestibule idp`: the identity providers, where their directories provision to and the secret for it, and the link to
//! a test. The gateway does the testing; the link asks it to.

use std::fmt::Write as _;
use std::io;

use clap::Subcommand;
use secrecy::ExposeSecret as _;

use super::opened::{Opened, Said, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::manage::ManageError;
use crate::model::ids::IdpId;
use crate::store::{Actor, ActorKind, Document, Kind};

#[derive(Debug, Subcommand)]
pub(super) enum IdpCommand {
    /// Show the identity providers, and the address that each directory provisions to
    List(ConfigFile),
    /// Print a link that opens one sign-in at a provider and shows what works; good for ten minutes and once
    Test {
        /// The provider: its name or id
        provider: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Make a new SCIM secret, and show it this once; the one before is good no longer
    ScimSecret {
        /// The provider: its name or id
        provider: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: IdpCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (IdpCommand::List(file) | IdpCommand::ScimSecret { file, .. } | IdpCommand::Test { file, .. }) =
        &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let store = opened.store.clone();
    let said = match &command {
        IdpCommand::List(_) => list(&opened).await,
        IdpCommand::ScimSecret { provider, .. } => scim_secret(opened, provider).await,
        IdpCommand::Test { provider, .. } => test(opened, provider).await,
    };
    store.close().await;
    tell(said, terminal)
}

async fn list(opened: &Opened) -> Result<Said, ManageError> {
    let mut lines = String::new();
    for document in opened.store.documents(Kind::IdentityProvider).await? {
        let _ = writeln!(lines, "{}  {}", document.id, document.name); // writing to a String cannot fail
        if is_on(&document) {
            let _ = writeln!(lines, "  {}", address(opened, &document));
        }
    }
    Ok(Said::done(lines))
}

async fn scim_secret(opened: Opened, named: &str) -> Result<Said, ManageError> {
    let document = match meant(&opened, named).await? {
        Ok(document) => document,
        Err(said) => return Ok(said),
    };
    let address = address(&opened, &document);
    let (manage, _) = opened.into_manage();
    let secret = manage.refresh_scim_secret(IdpId(document.id), actor()).await?;
    Ok(Said::done(format!(
        "Tenant URL    {address}\nSecret token  {}\n",
        secret.expose_secret()
    )))
}

async fn test(opened: Opened, named: &str) -> Result<Said, ManageError> {
    let document = match meant(&opened, named).await? {
        Ok(document) => document,
        Err(said) => return Ok(said),
    };
    let (manage, _) = opened.into_manage();
    let link = manage.test_link(IdpId(document.id), actor()).await?;
    let until = link.expires_at.strftime("%H:%M UTC");
    Ok(Said::done(format!(
        "{}\nOpen it in a browser, once, before {until}.\n",
        link.url
    )))
}

/// Who is written into the audit log.
fn actor() -> Actor {
    Actor {
        kind: ActorKind::CommandLine,
        name: "vestibule idp".to_owned(),
    }
}

/// The provider of this name or id, or what is wrong with it.
async fn meant(opened: &Opened, named: &str) -> Result<Result<Document, Said>, ManageError> {
    let documents = opened.store.documents(Kind::IdentityProvider).await?;
    let mut meant = documents
        .into_iter()
        .filter(|document| document.name == named || document.id.to_string() == named);
    Ok(match (meant.next(), meant.next()) {
        (Some(document), None) => Ok(document),
        (none_or_first, _) => {
            let many = none_or_first.map_or("no", |_| "more than one");
            Err(Said::Unusable(format!(
                "{many} identity provider is called \"{named}\""
            )))
        }
    })
}

fn is_on(document: &Document) -> bool {
    let enabled = document.body.pointer("/scim_config/enabled");
    enabled.and_then(serde_json::Value::as_bool).unwrap_or(false)
}

fn address(opened: &Opened, document: &Document) -> String {
    let path = format!("/populations/{}/scim/v2", document.id);
    opened.organization.auth.address(&path)
}
