//! `vestibule idp`: the identity providers, where their directories provision to and the secret for it or how reading them
//! by Graph stands, and the link to a test. The gateway does the testing and the reading; it is asked to.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use clap::Subcommand;
use secrecy::ExposeSecret as _;

use super::opened::{Opened, Said, actor, meant, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::manage::{ManageError, provisions};
use crate::model::ids::IdpId;
use crate::model::time::ms_to_the_minute;
use crate::snapshot::{read, secrets};
use crate::store::{DirectorySync, Document, Kind};

const COMMAND: &str = "idp";
/// How long a gateway may take to begin a round that was asked for, and to end it.
const BEGINS: Duration = Duration::from_secs(15);
const ENDS: Duration = Duration::from_mins(5);
/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(250);

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
    /// Have a gateway read a directory by Graph at once, and tell how that went; it confirms a round that was held back
    Sync {
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
    let (IdpCommand::List(file)
    | IdpCommand::ScimSecret { file, .. }
    | IdpCommand::Sync { file, .. }
    | IdpCommand::Test { file, .. }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let store = opened.store.clone();
    let said = match &command {
        IdpCommand::List(_) => list(&opened).await,
        IdpCommand::ScimSecret { provider, .. } => scim_secret(opened, provider).await,
        IdpCommand::Sync { provider, .. } => sync(&opened, provider).await,
        IdpCommand::Test { provider, .. } => test(opened, provider).await,
    };
    store.close().await;
    tell(said, terminal)
}

async fn list(opened: &Opened) -> Result<Said, ManageError> {
    let mut lines = String::new();
    for document in opened.store.documents(Kind::IdentityProvider).await? {
        let _ = writeln!(lines, "{}  {}", document.id, document.name); // writing to a String cannot fail
        if provisions(&document.body) {
            let _ = writeln!(lines, "  {}", address(opened, &document));
        }
        if is_read(opened, &document) {
            let stands = opened.store.directory_sync(IdpId(document.id)).await?;
            let _ = writeln!(lines, "  {}", described(stands.as_ref()));
        }
    }
    Ok(Said::done(lines))
}

async fn sync(opened: &Opened, named: &str) -> Result<Said, ManageError> {
    let document = match provider(opened, named).await? {
        Ok(document) => document,
        Err(said) => return Ok(said),
    };
    if !is_read(opened, &document) {
        return Ok(Said::Unusable(format!(
            "the directory of \"{}\" is not read by Graph: it takes [identity_providers.directory_sync], enabled",
            document.name
        )));
    }
    let id = IdpId(document.id);
    let asked_ms = opened.store.want_directory_sync(id, &actor(COMMAND)).await?;
    let mut waited = Duration::ZERO;
    loop {
        let stands = opened.store.directory_sync(id).await?.unwrap_or_default();
        let began = stands.began_ms >= asked_ms;
        if began && stands.ended_ms >= stands.began_ms {
            let exit = if stands.failure.is_some() {
                Exit::No
            } else {
                Exit::Fine
            };
            return Ok(Said::Answer(format!("{}\n", described(Some(&stands))), exit));
        }
        if waited >= if began { ENDS } else { BEGINS } {
            let what = if began {
                "it is still being read"
            } else {
                "no gateway has begun to: is one running?"
            };
            return Ok(Said::Answer(format!("asked for; {what}\n"), Exit::Unavailable));
        }
        tokio::time::sleep(LOOK).await;
        waited += LOOK;
    }
}

/// How reading a directory stands.
fn described(stands: Option<&DirectorySync>) -> String {
    let Some(stands) = stands.filter(|stands| stands.began_ms > 0) else {
        return "read by Graph: not yet".to_owned();
    };
    let mut line = match stands.succeeded_ms {
        0 => "read by Graph: never successfully".to_owned(),
        succeeded_ms => format!(
            "read by Graph: {}, {} people, {} groups",
            ms_to_the_minute(succeeded_ms),
            stands.people,
            stands.groups
        ),
    };
    if let Some(failure) = &stands.failure {
        let _ = write!(line, "; since {}: {failure}", ms_to_the_minute(stands.ended_ms)); // writing to a String cannot fail
    }
    line
}

async fn scim_secret(opened: Opened, named: &str) -> Result<Said, ManageError> {
    let document = match provider(&opened, named).await? {
        Ok(document) => document,
        Err(said) => return Ok(said),
    };
    let address = address(&opened, &document);
    let (manage, _) = opened.into_manage();
    let secret = manage
        .refresh_scim_secret(IdpId(document.id), actor(COMMAND))
        .await?;
    Ok(Said::done(format!(
        "Tenant URL    {address}\nSecret token  {}\n",
        secret.expose_secret()
    )))
}

async fn test(opened: Opened, named: &str) -> Result<Said, ManageError> {
    let document = match provider(&opened, named).await? {
        Ok(document) => document,
        Err(said) => return Ok(said),
    };
    let (manage, _) = opened.into_manage();
    let link = manage.test_link(IdpId(document.id), actor(COMMAND)).await?;
    let until = link.expires_at.strftime("%H:%M UTC");
    Ok(Said::done(format!(
        "{}\nOpen it in a browser, once, before {until}.\n",
        link.url
    )))
}

/// The provider of this name or id, or what is wrong with it.
async fn provider(opened: &Opened, named: &str) -> Result<Result<Document, Said>, ManageError> {
    let meant = meant(&opened.store, Kind::IdentityProvider, named).await?;
    Ok(meant.map_err(Said::Unusable))
}

/// Whether a provider's directory is read by Graph. One that does not stand is read by nobody.
fn is_read(opened: &Opened, document: &Document) -> bool {
    let secrets = secrets::open(document, &opened.sealer, opened.clock.now_ms()).unwrap_or_default();
    let provider = read::identity_provider(
        IdpId(document.id),
        &document.body,
        &secrets,
        &opened.config.clouds,
    );
    provider.is_ok_and(|provider| provider.sync.is_some())
}

fn address(opened: &Opened, document: &Document) -> String {
    opened.organization.auth.scim_base_url(IdpId(document.id))
}
