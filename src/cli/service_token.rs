//! `vestibule service-token`: the credentials of machines. Gateways at work follow within a second.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::opened::{Said, actor, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::manage::{Issued, Manage, ManageError, NewServiceToken, ServiceTokenChanges};
use crate::model::duration::GoDuration;
use crate::model::ids::ServiceTokenId;
use crate::model::service_token::TokenLife;
use crate::model::time::ms_to_the_minute;
use crate::store::{Document, Kind, Store, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum ServiceTokenCommand {
    /// Make a token, and show its secret this once
    Create {
        /// What it is for
        name: String,
        /// How long it lives: a duration such as 8760h, or forever
        #[arg(long, default_value = "8760h")]
        duration: TokenLife,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Show the tokens, when each ends and when it was last let in
    List(ConfigFile),
    /// Give a token another secret, and show it this once
    Rotate {
        /// How long the secret before stays good, such as 24h; without, it ends now
        #[arg(long)]
        grace: Option<GoDuration>,
        #[command(flatten)]
        which: Which,
    },
    /// Let a token live a year longer
    Refresh(Which),
    /// Refuse a token, and cut what it has open
    Disable(Which),
    /// Take a token that was disabled
    Enable(Which),
    /// Delete a token that no rule names
    Delete(Which),
}

/// A token and where it is.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The token: its id, its client id, or its name where no other has it
    token: String,
    #[command(flatten)]
    file: ConfigFile,
}

impl ServiceTokenCommand {
    fn file(&self) -> &ConfigFile {
        match self {
            Self::Create { file, .. } | Self::List(file) => file,
            Self::Rotate { which, .. }
            | Self::Refresh(which)
            | Self::Disable(which)
            | Self::Enable(which)
            | Self::Delete(which) => &which.file,
        }
    }
}

pub(super) async fn run(command: ServiceTokenCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let opened = match open(&command.file().config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let now = opened.clock.now();
    let (manage, store) = opened.into_manage();
    let said = carry_out(command, &manage, &store, now).await;
    store.close().await;
    let said = match said {
        Ok(said) => Ok(Said::done(said)),
        Err(Failed::Unknown(token)) => Ok(Said::Unusable(format!(
            "no service token, or more than one, is called \"{token}\""
        ))),
        Err(Failed::Manage(error)) => Err(error),
    };
    tell(said, terminal)
}

/// Why a command did nothing.
enum Failed {
    /// The word that names no token, or several.
    Unknown(String),
    Manage(ManageError),
}

impl From<ManageError> for Failed {
    fn from(error: ManageError) -> Self {
        Self::Manage(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Manage(error.into())
    }
}

async fn carry_out(
    command: ServiceTokenCommand,
    manage: &Manage,
    store: &Store,
    now: Timestamp,
) -> Result<String, Failed> {
    let actor = actor("service-token");
    let switched = |enabled| ServiceTokenChanges {
        enabled: Some(enabled),
        ..ServiceTokenChanges::default()
    };
    Ok(match command {
        ServiceTokenCommand::Create { name, duration, .. } => {
            let new = NewServiceToken {
                name,
                duration,
                enabled: true,
                secret_version: 1,
            };
            secret_told(&manage.create_service_token(new, actor).await?)
        }
        ServiceTokenCommand::List(_) => list(store).await?,
        ServiceTokenCommand::Rotate { grace, which } => {
            let length = grace.map_or(Duration::ZERO, |grace| grace.length());
            let until = (!length.is_zero()).then(|| now.checked_add(length).unwrap_or(Timestamp::MAX));
            let id = find(store, &which.token).await?;
            secret_told(&manage.rotate_service_token(id, until, actor).await?)
        }
        ServiceTokenCommand::Refresh(which) => {
            let id = find(store, &which.token).await?;
            let renewed = manage.refresh_service_token(id, actor).await?;
            format!("good until {}\n", text(&renewed.document, "expires_at"))
        }
        ServiceTokenCommand::Disable(which) => {
            let id = find(store, &which.token).await?;
            manage.update_service_token(id, switched(false), actor).await?;
            "disabled: within a second it opens nothing any longer\n".to_owned()
        }
        ServiceTokenCommand::Enable(which) => {
            let id = find(store, &which.token).await?;
            manage.update_service_token(id, switched(true), actor).await?;
            "enabled\n".to_owned()
        }
        ServiceTokenCommand::Delete(which) => {
            let id = find(store, &which.token).await?;
            manage.delete_service_token(id, actor).await?;
            "deleted\n".to_owned()
        }
    })
}

/// The one token that a word means.
async fn find(store: &Store, word: &str) -> Result<ServiceTokenId, Failed> {
    let tokens = store.documents(Kind::ServiceToken).await?;
    let exact = |document: &&Document| document.id.to_string() == word || text(document, "client_id") == word;
    let mut named = tokens.iter().filter(|document| document.name == word);
    let found = tokens
        .iter()
        .find(exact)
        .or_else(|| named.next().filter(|_| named.next().is_none()));
    found
        .map(|document| ServiceTokenId(document.id))
        .ok_or_else(|| Failed::Unknown(word.to_owned()))
}

async fn list(store: &Store) -> Result<String, StoreError> {
    let uses = store.service_token_uses().await?;
    let mut said = String::new();
    for document in store.documents(Kind::ServiceToken).await? {
        let seen = uses.get(&ServiceTokenId(document.id)).copied();
        let seen = seen.map_or_else(
            || "never let in".to_owned(),
            |ms| format!("last let in {}", ms_to_the_minute(ms)),
        );
        let state = match document.body.get("enabled").and_then(Value::as_bool) {
            Some(false) => ", disabled",
            _ => "",
        };
        let (client_id, until) = (text(&document, "client_id"), text(&document, "expires_at"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            said,
            "{}  {client_id}  {}: until {until}, {seen}{state}",
            document.id, document.name
        );
    }
    if said.is_empty() {
        said.push_str("no service tokens yet: vestibule service-token create NAME\n");
    }
    Ok(said)
}

/// A program reads the two lines as they are sent.
fn secret_told(issued: &Issued) -> String {
    format!(
        "CF-Access-Client-Id: {}\nCF-Access-Client-Secret: {}\n",
        text(&issued.document, "client_id"),
        issued.client_secret.expose_secret()
    )
}

fn text<'d>(document: &'d Document, key: &str) -> &'d str {
    document.body.get(key).and_then(Value::as_str).unwrap_or_default()
}
