//! `vestibule idp`: the identity providers, where their directories provision to, and the secret for it.

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
    /// Make a new SCIM secret, and show it this once; the one before is good no longer
    ScimSecret {
        /// The provider: its name or id
        provider: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: IdpCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (IdpCommand::List(file) | IdpCommand::ScimSecret { file, .. }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let store = opened.store.clone();
    let said = match &command {
        IdpCommand::List(_) => list(&opened).await,
        IdpCommand::ScimSecret { provider, .. } => scim_secret(opened, provider).await,
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
    let documents = opened.store.documents(Kind::IdentityProvider).await?;
    let meant = documents
        .iter()
        .filter(|document| document.name == named || document.id.to_string() == named);
    let meant: Vec<&Document> = meant.collect();
    let [document] = meant.as_slice() else {
        let many = if meant.is_empty() { "no" } else { "more than one" };
        return Ok(Said::Unusable(format!(
            "{many} identity provider is called \"{named}\""
        )));
    };
    let address = address(&opened, document);
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: "vestibule idp".to_owned(),
    };
    let (manage, _) = opened.into_manage();
    let secret = manage.refresh_scim_secret(IdpId(document.id), actor).await?;
    Ok(Said::done(format!(
        "Tenant URL    {address}\nSecret token  {}\n",
        secret.expose_secret()
    )))
}

fn is_on(document: &Document) -> bool {
    let enabled = document.body.pointer("/scim_config/enabled");
    enabled.and_then(serde_json::Value::as_bool).unwrap_or(false)
}

fn address(opened: &Opened, document: &Document) -> String {
    let path = format!("/populations/{}/scim/v2", document.id);
    opened.organization.auth.address(&path)
}
