//! `vestibule keys`: the keys that sign tokens. Gateways at work follow within a second.

use std::io;

use clap::Subcommand;
use jiff::Timestamp;

use super::opened::{Opened, actor, open};
use super::{ConfigFile, Exit, Terminal};
use crate::model::ids::KeyId;
use crate::model::time::to_the_minute;
use crate::session::keys::{self, KeyError};
use crate::store::{KeyState, SigningKeyRow};

const COMMAND: &str = "keys";

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Show the keys and what each is for
    List(ConfigFile),
    /// Let the next key sign from now on; the one before stays good for seven days
    Rotate(ConfigFile),
    /// Refuse everything a key has signed, at once
    Revoke {
        /// The key's id, as `keys list` shows it
        kid: KeyId,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: KeysCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let file = match &command {
        KeysCommand::List(file) | KeysCommand::Rotate(file) | KeysCommand::Revoke { file, .. } => file,
    };
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let done = match &command {
        KeysCommand::List(_) => list(&opened, terminal).await,
        KeysCommand::Rotate(_) => rotate(&opened, terminal).await,
        KeysCommand::Revoke { kid, .. } => revoke(&opened, kid, terminal).await,
    };
    opened.store.close().await;
    match done {
        Ok(written) => written,
        Err(error) => {
            writeln!(terminal.err, "vestibule: {error}")?;
            Ok(Exit::Unavailable)
        }
    }
}

/// The outer failure is the store's, the inner one the terminal's.
type Done = Result<io::Result<Exit>, KeyError>;

async fn list(opened: &Opened, terminal: &mut Terminal<'_>) -> Done {
    let rows = opened.store.signing_keys().await?;
    if rows.is_empty() {
        let none = writeln!(terminal.out, "no keys yet: they are made at the first start");
        return Ok(none.map(|()| Exit::Fine));
    }
    for row in &rows {
        if let Err(error) = writeln!(terminal.out, "{}  {}", row.kid, described(row)) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(Exit::Fine))
}

fn described(row: &SigningKeyRow) -> String {
    let day = |ms: Option<i64>| {
        let at = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        at.map_or_else(|| "an unknown time".to_owned(), to_the_minute)
    };
    match row.state {
        KeyState::Next => format!("next, made {}", day(Some(row.created_ms))),
        KeyState::Current => format!("current, signs since {}", day(row.signs_from_ms)),
        KeyState::Previous => format!("previous, good until {}", day(row.retires_ms)),
        KeyState::Revoked => format!("revoked {}", day(row.retires_ms)),
    }
}

async fn rotate(opened: &Opened, terminal: &mut Terminal<'_>) -> Done {
    keys::ensure(&opened.store, &opened.sealer, &opened.clock).await?;
    let actor = actor(COMMAND);
    let rotated = keys::rotate(&opened.store, &opened.sealer, &opened.clock, &actor).await?;
    let said = if rotated {
        "rotated: the next key signs from now on"
    } else {
        "another gateway rotated at the same moment; nothing was left to do"
    };
    Ok(writeln!(terminal.out, "{said}").map(|()| Exit::Fine))
}

async fn revoke(opened: &Opened, kid: &KeyId, terminal: &mut Terminal<'_>) -> Done {
    let actor = actor(COMMAND);
    if keys::revoke(&opened.store, &opened.sealer, &opened.clock, kid, &actor).await? {
        return Ok(writeln!(
            terminal.out,
            "revoked: nothing that {kid} signed is accepted any longer"
        )
        .map(|()| Exit::Fine));
    }
    Ok(writeln!(
        terminal.err,
        "vestibule: there is no such key, or it is revoked already"
    )
    .map(|()| Exit::Unusable))
}
