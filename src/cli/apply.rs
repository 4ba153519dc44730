//! `vestibule apply`: what starting the gateway does with declared objects, and going back to an older file on purpose.
//! With `--plan` it says what would change, and changes nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;

use clap::Args;
use secrecy::SecretString;

use super::opened::{complain, open, read};
use super::{ConfigFile, Exit, Terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::seal::Sealer;
use crate::manage::{self, Change, Difference, Manage, ManageError, OlderFile, Outcome};
use crate::store::{Actor, ActorKind, Store};

#[derive(Debug, Args)]
pub(super) struct ApplyCommand {
    /// Say what would change, and change nothing; ends with 0 where nothing would, and 2 where something would
    #[arg(long)]
    plan: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) async fn run(command: ApplyCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    if command.plan {
        return plan(&command.file.config, terminal).await;
    }
    apply(&command.file.config, terminal).await
}

async fn apply(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let opened = match open(file, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let account = &opened.organization.account_id;
    let declared = opened.config.declarations.resolve(account);
    let actor = Actor {
        kind: ActorKind::CommandLine,
        name: file.display().to_string(),
    };
    let (manage, store) = opened.into_manage();
    let outcome = manage.reconcile(&declared, actor, OlderFile::Applied).await;
    store.close().await;
    match outcome {
        Ok(Outcome::Reconciled(done)) => writeln!(
            terminal.out,
            "{} created, {} updated, {} deleted",
            done.created, done.updated, done.deleted
        )?,
        // Asked to apply it again, `reconcile` takes no file for superseded.
        Ok(Outcome::Superseded(_)) => {}
        Err(error) => return complain(&error, terminal),
    }
    Ok(Exit::Fine)
}

async fn plan(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let config = match read(file, terminal)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let changes = match changes(config).await {
        Ok(changes) => changes,
        Err(error) => return complain(&error, terminal),
    };
    for change in &changes {
        writeln!(terminal.out, "{change}")?;
    }
    let count = |is: fn(&Difference) -> bool| changes.iter().filter(|change| is(&change.difference)).count();
    writeln!(
        terminal.out,
        "{} to create, {} to update, {} to delete",
        count(|difference| matches!(difference, Difference::Create)),
        count(|difference| matches!(difference, Difference::Update(_))),
        count(|difference| matches!(difference, Difference::Delete)),
    )?;
    Ok(if changes.is_empty() {
        Exit::Fine
    } else {
        Exit::Differs
    })
}

/// What would change in the store, or in an empty one where there is none yet: it is neither made nor migrated.
async fn changes(config: Config) -> Result<Vec<Change>, ManageError> {
    let clock = Clock::system();
    let store = match Store::open_existing(&config.store.url, clock.clone()).await? {
        Some(store) => store,
        None => Store::open(&SecretString::from("sqlite::memory:"), clock.clone()).await?,
    };
    let organization = manage::organization_to_be(&store, &config.organization).await?;
    let account = organization.account_id.clone();
    let manage = Manage::new(
        store.clone(),
        Sealer::new(config.master_key, account.as_str()),
        clock,
        Arc::new(organization),
        Arc::new(config.clouds),
    );
    let changes = manage.preview(&config.declarations.resolve(&account)).await;
    store.close().await;
    changes
}
