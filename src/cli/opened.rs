//! What most commands begin with, the configuration read and the store open, and how they end.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{Exit, Terminal};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::crypto::seal::Sealer;
use crate::manage::{self, Manage, ManageError};
use crate::model::organization::Organization;
use crate::model::plain;
use crate::store::{Actor, ActorKind, Document, Kind, Store, StoreError};

/// A configuration with its store.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) organization: Organization,
    pub(super) sealer: Sealer,
    pub(super) clock: Clock,
}

impl Opened {
    /// The way to change objects, and the store to close afterwards.
    pub(super) fn into_manage(self) -> (Manage, Store) {
        let manage = Manage::new(
            self.store.clone(),
            self.sealer,
            self.clock,
            Arc::new(self.organization),
            Arc::new(self.config.clouds),
        );
        (manage, self.store)
    }
}

/// What a command has to say.
pub(super) enum Said {
    /// Its answer, and how it ends for it.
    Answer(String, Exit),
    /// Nothing is meant by what was asked for, and why.
    Unusable(String),
}

impl Said {
    /// What was asked for is done.
    pub(super) fn done(answer: impl Into<String>) -> Self {
        Self::Answer(answer.into(), Exit::Fine)
    }
}

/// Who is written into the audit log where a command changes something: the command itself.
pub(super) fn actor(command: &str) -> Actor {
    Actor {
        kind: ActorKind::CommandLine,
        name: format!("vestibule {command}"),
    }
}

/// The one object of a kind that has this name or id, or what is wrong with that.
pub(super) async fn meant(
    store: &Store,
    kind: Kind,
    given: &str,
) -> Result<Result<Document, String>, StoreError> {
    let documents = store.documents(kind).await?;
    let mut meant = documents
        .into_iter()
        .filter(|document| document.name == given || document.id.to_string() == given);
    let what = kind.as_str().replace('_', " ");
    Ok(match (meant.next(), meant.next()) {
        (Some(document), None) => Ok(document),
        (None, _) => Err(format!("no {what} is called \"{given}\"")),
        (Some(_), Some(_)) => Err(format!("more than one {what} is called \"{given}\": give the id")),
    })
}

/// Tells what a command has to say, or why it failed.
pub(super) fn tell(
    said: Result<Said, impl Into<ManageError>>,
    terminal: &mut Terminal<'_>,
) -> io::Result<Exit> {
    match said {
        // Names of people and things are in it that others wrote: a terminal is told nothing by them.
        Ok(Said::Answer(answer, exit)) => {
            write!(terminal.out, "{}", plain::visible_lines(&answer)).map(|()| exit)
        }
        Ok(Said::Unusable(why)) => {
            writeln!(terminal.err, "vestibule: {}", plain::visible_lines(&why))?;
            Ok(Exit::Unusable)
        }
        Err(error) => complain(&error.into(), terminal),
    }
}

/// Reads a configuration; where it has faults, tells each in a line.
pub(super) fn read(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Result<Config, Exit>> {
    match config::load(file, &config::environment) {
        Ok(config) => Ok(Ok(config)),
        Err(faults) => {
            writeln!(terminal.err, "{faults}")?;
            Ok(Err(Exit::Unusable))
        }
    }
}

/// Reads a configuration and opens its store.
pub(super) async fn open(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Result<Opened, Exit>> {
    let config = match read(file, terminal)? {
        Ok(config) => config,
        Err(exit) => return Ok(Err(exit)),
    };
    let clock = Clock::system();
    let opened = async {
        let store = Store::open(&config.store.url, clock.clone()).await?;
        let organization = manage::organization(&store, &config.organization).await?;
        Ok::<_, ManageError>((store, organization))
    };
    match opened.await {
        Ok((store, organization)) => Ok(Ok(Opened {
            sealer: Sealer::new(config.master_key.clone(), organization.account_id.as_str()),
            config,
            store,
            organization,
            clock,
        })),
        Err(error) => complain(&error, terminal).map(Err),
    }
}

/// Tells why something failed, causes included, and how the command ends for it.
pub(super) fn complain(error: &ManageError, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    // Names stand in it too.
    write!(
        terminal.err,
        "vestibule: {}",
        plain::visible_lines(&error.to_string())
    )?;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        write!(terminal.err, ": {}", plain::visible_lines(&error.to_string()))?;
        cause = error.source();
    }
    writeln!(terminal.err)?;
    Ok(match error {
        ManageError::Refused(_)
        | ManageError::Taken(_)
        | ManageError::ForeignAccount { .. }
        | ManageError::NotFound { .. }
        | ManageError::Declared { .. }
        | ManageError::Exists { .. }
        | ManageError::InUse { .. } => Exit::Unusable,
        ManageError::Store(_) => Exit::Unavailable,
    })
}
