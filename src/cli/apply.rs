//! `vestibule apply`: what starting the gateway does with declared objects, and going back to an older file on purpose.

use std::io;
use std::path::Path;

use super::opened::{complain, open};
use super::{Exit, Terminal};
use crate::manage::Outcome;
use crate::store::{Actor, ActorKind};

pub(super) async fn run(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
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
    let outcome = manage.reconcile(&declared, actor, true).await;
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
