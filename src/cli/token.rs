//! `vestibule token`: what opens the API. Gateways at work follow within a second.

use std::fmt::Write as _;
use std::io;

use clap::{Args, Subcommand};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::opened::{Said, actor, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::manage::{Manage, ManageError, NewApiToken};
use crate::model::ids::ServiceTokenId;
use crate::model::permission::{EVERYTHING, Permission, Permissions};
use crate::model::time::ms_to_the_minute;
use crate::store::{Actor, Document, Kind, Store};

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token, and show it this once
    Create(Create),
    /// Show the tokens, what each may do and when it was last used
    List(ConfigFile),
    /// Delete a token: gateways at work refuse it within a second
    Delete {
        /// The token's name
        name: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Show what a token may be allowed
    Permissions,
}

/// A token to be made.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What it is for
    name: String,
    /// What it may do, as `vestibule token permissions` lists it; may be given several times
    #[arg(long = "permission", required = true)]
    permissions: Vec<String>,
    /// Where it may be used from, such as 198.51.100.0/24; may be given several times
    #[arg(long = "address")]
    addresses: Vec<IpNet>,
    /// When it ends, such as 2027-03-31T00:00:00Z
    #[arg(long = "expires-at")]
    expires_at: Option<Timestamp>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(command: TokenCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let file = match &command {
        TokenCommand::Create(create) => &create.file,
        TokenCommand::List(file) | TokenCommand::Delete { file, .. } => file,
        TokenCommand::Permissions => {
            for name in std::iter::once(EVERYTHING).chain(Permission::names()) {
                writeln!(terminal.out, "{name}")?;
            }
            return Ok(Exit::Fine);
        }
    };
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let now = opened.clock.now();
    let (manage, store) = opened.into_manage();
    let said = carry_out(command, &manage, &store, now).await;
    store.close().await;
    tell(said, terminal)
}

async fn carry_out(
    command: TokenCommand,
    manage: &Manage,
    store: &Store,
    now: Timestamp,
) -> Result<Said, ManageError> {
    let actor = actor("token");
    match command {
        TokenCommand::Create(new) => create(new, manage, actor, now).await,
        TokenCommand::List(_) => list(store).await.map(Said::done),
        TokenCommand::Delete { name, .. } => match manage.api_token_called(&name).await? {
            Some(document) => {
                manage.delete(Kind::ApiToken, document.id, actor).await?;
                Ok(Said::done(
                    "deleted: within a second it opens nothing any longer\n",
                ))
            }
            None => Ok(Said::Unusable(format!("no token is called \"{name}\""))),
        },
        // Answered without a store.
        TokenCommand::Permissions => Ok(Said::done("")),
    }
}

async fn create(new: Create, manage: &Manage, actor: Actor, now: Timestamp) -> Result<Said, ManageError> {
    let names = new.permissions.iter().map(String::as_str);
    let permissions = match Permissions::from_names(names) {
        Ok(permissions) => permissions,
        Err(unknown) => {
            let why = format!("no permission is called \"{unknown}\": see `vestibule token permissions`");
            return Ok(Said::Unusable(why));
        }
    };
    if new.expires_at.is_some_and(|at| at <= now) {
        let why = "--expires-at is over already: write a time to come, or leave it out";
        return Ok(Said::Unusable(why.to_owned()));
    }
    let new = NewApiToken {
        name: new.name,
        permissions,
        addresses: new.addresses,
        expires_at: new.expires_at,
    };
    let (_, token) = manage.create_api_token(new, actor).await?;
    Ok(Said::done(format!("{}\n", token.expose_secret())))
}

async fn list(store: &Store) -> Result<String, ManageError> {
    let last_uses = store.service_token_uses().await?;
    let mut said = String::new();
    for document in store.documents(Kind::ApiToken).await? {
        let last = last_uses.get(&ServiceTokenId(document.id)).copied();
        let said_use = last.map_or_else(
            || "never used".to_owned(),
            |ms| format!("last used {}", ms_to_the_minute(ms)),
        );
        let until = document.body.get("expires_at").and_then(Value::as_str);
        let until = until.map_or_else(String::new, |until| format!(", until {until}"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            said,
            "{}: {}{until}, {said_use}",
            document.name,
            permissions(&document)
        );
    }
    if said.is_empty() {
        said.push_str("no tokens yet: vestibule token create NAME --permission …\n");
    }
    Ok(said)
}

fn permissions(document: &Document) -> String {
    let names = document.body.get("permissions").and_then(Value::as_array);
    let names: Vec<&str> = names.into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
}
