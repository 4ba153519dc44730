//! `vestibule sessions`: who is signed in, and out with them. Gateways at work follow within a second.

use std::io;

use clap::Subcommand;
use jiff::Timestamp;

use super::opened::{Opened, open};
use super::{ConfigFile, Exit, Terminal};
use crate::model::email::EmailAddress;
use crate::session::table::Cause;
use crate::store::{Ending, SessionRow, StoreError, User};

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// Show the live sessions of everybody who last signed in with an address
    List {
        /// The address
        email: EmailAddress,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// End all their sessions and open streams, logins in flight included
    End {
        /// The address
        email: EmailAddress,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: SessionsCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (SessionsCommand::List { email, file } | SessionsCommand::End { email, file }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let said = match &command {
        SessionsCommand::List { .. } => list(&opened, email).await,
        SessionsCommand::End { .. } => end(&opened, email).await,
    };
    opened.store.close().await;
    match said {
        Ok(Some(said)) => write!(terminal.out, "{said}").map(|()| Exit::Fine),
        Ok(None) => {
            writeln!(terminal.err, "vestibule: nobody has signed in with {email}")?;
            Ok(Exit::Unusable)
        }
        Err(error) => {
            writeln!(terminal.err, "vestibule: {error}")?;
            Ok(Exit::Unavailable)
        }
    }
}

/// What is said of everybody with the address; `None` where there is nobody. Addresses are labels: several people may
/// have had one, and each is named by the user id.
async fn list(opened: &Opened, email: &EmailAddress) -> Result<Option<String>, StoreError> {
    let mut lines = Vec::new();
    for user in opened.store.users_with_email(email).await? {
        let sessions = live(opened, &user).await?;
        lines.push(format!("{}  {} live\n", user.id, sessions.len()));
        lines.extend(sessions.iter().map(described));
    }
    Ok((!lines.is_empty()).then(|| lines.concat()))
}

async fn end(opened: &Opened, email: &EmailAddress) -> Result<Option<String>, StoreError> {
    let mut lines = Vec::new();
    for user in opened.store.users_with_email(email).await? {
        let ended = opened
            .store
            .end_sessions(&Ending::User(user.id), Cause::Administrator.word())
            .await?;
        lines.push(format!("{}  {} ended\n", user.id, ended.len()));
    }
    Ok((!lines.is_empty()).then(|| lines.concat()))
}

async fn live(opened: &Opened, user: &User) -> Result<Vec<SessionRow>, StoreError> {
    let now_ms = opened.clock.now_ms();
    let mut sessions = opened.store.sessions_of(user.id).await?;
    sessions.retain(|session| session.ended_ms.is_none() && session.expires_ms > now_ms);
    Ok(sessions)
}

/// The nonce is the key of the stored identity and no credential (reference Access §3.2).
fn described(session: &SessionRow) -> String {
    let at = |ms| {
        let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%d %H:%M UTC").to_string()
    };
    format!(
        "  {}  from {}  since {}, until {}\n",
        session.nonce,
        session.address,
        at(session.created_ms),
        at(session.expires_ms)
    )
}
