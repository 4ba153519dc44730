//! `vestibule sessions`: who is signed in, and out with them. Gateways at work follow within a second.

use std::io;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::opened::{Opened, Said, actor, meant, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::model::email::EmailAddress;
use crate::model::ids::{AudTag, SessionNonce, UserId};
use crate::model::time::ms_to_the_minute;
use crate::session::table::Cause;
use crate::store::{Ending, Kind, SessionRow, StoreError, User, UserOrder};

const COMMAND: &str = "sessions";

#[derive(Debug, Subcommand)]
pub(super) enum SessionsCommand {
    /// Show the live sessions of everybody who last signed in with an address
    List {
        /// The address
        email: EmailAddress,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// End sessions and their open streams; of a person or everybody, logins in flight too
    End {
        #[command(flatten)]
        whose: Whose,
        #[command(flatten)]
        file: ConfigFile,
    },
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// All of everybody who last signed in with this address
    email: Option<EmailAddress>,
    /// All of one person, by the id that `list` shows
    #[arg(long, value_name = "ID")]
    user: Option<UserId>,
    /// One session, by the key that `list` shows
    #[arg(long, value_name = "KEY")]
    session: Option<SessionNonce>,
    /// The tokens of one application, by its name or id; people stay signed in and get new ones
    #[arg(long, value_name = "NAME")]
    application: Option<String>,
    /// All there are
    #[arg(long)]
    everybody: bool,
}

pub(super) async fn run(command: SessionsCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (SessionsCommand::List { file, .. } | SessionsCommand::End { file, .. }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let said = match &command {
        SessionsCommand::List { email, .. } => list(&opened, email).await,
        SessionsCommand::End { whose, .. } => end(&opened, whose).await,
    };
    opened.store.close().await;
    tell(said, terminal)
}

/// What is said of everybody with the address. Addresses are labels: several people may have had one, and each is named
/// by the user id.
async fn list(opened: &Opened, email: &EmailAddress) -> Result<Said, StoreError> {
    let mut lines = Vec::new();
    for user in opened.store.users_with_email(email).await? {
        let sessions = live(opened, &user).await?;
        lines.push(format!("{}  {} live\n", user.id, sessions.len()));
        lines.extend(sessions.iter().map(described));
    }
    Ok(of_people(&lines, email))
}

async fn end(opened: &Opened, whose: &Whose) -> Result<Said, StoreError> {
    if let Some(email) = &whose.email {
        let mut lines = Vec::new();
        for user in opened.store.users_with_email(email).await? {
            lines.push(end_all_of(opened, user.id).await?);
        }
        return Ok(of_people(&lines, email));
    }
    if let Some(user) = whose.user {
        return Ok(match opened.store.user(user).await? {
            Some(user) => Said::done(end_all_of(opened, user.id).await?),
            None => Said::Unusable(format!("nobody has the id {user}")),
        });
    }
    if let Some(nonce) = &whose.session {
        let ended = ended(opened, Ending::Session(nonce.clone())).await?;
        return Ok(match ended {
            0 => Said::Unusable(format!("no live session has the key {nonce}")),
            _ => Said::done("1 ended\n"),
        });
    }
    if let Some(application) = &whose.application {
        return revoke_tokens(opened, application).await;
    }
    let ended = ended(opened, Ending::Everybody).await?;
    Ok(Said::done(format!("{ended} ended\n")))
}

async fn end_all_of(opened: &Opened, user: UserId) -> Result<String, StoreError> {
    let (order, cause) = (UserOrder::EndSessions, Cause::Administrator.word());
    let done = opened.store.order(user, &order, cause, &actor(COMMAND)).await?;
    let ended = done.map_or(0, |done| done.ended.len());
    Ok(format!("{user}  {ended} ended\n"))
}

async fn ended(opened: &Opened, ending: Ending) -> Result<usize, StoreError> {
    let cause = Cause::Administrator.word();
    let ended = opened
        .store
        .end_sessions_said(&ending, cause, &actor(COMMAND))
        .await?;
    Ok(ended.len())
}

async fn revoke_tokens(opened: &Opened, named: &str) -> Result<Said, StoreError> {
    let application = match meant(&opened.store, Kind::Application, named).await? {
        Ok(application) => application,
        Err(why) => return Ok(Said::Unusable(why)),
    };
    let aud = application.body.get("aud").and_then(Value::as_str);
    let Some(Ok(aud)) = aud.map(str::parse::<AudTag>) else {
        return Ok(Said::Unusable(format!(
            "the application \"{named}\" has no aud: nothing is signed for it"
        )));
    };
    opened
        .store
        .revoke_tokens_of(&application, &aud, &actor(COMMAND))
        .await?;
    Ok(Said::done(format!("{}  all tokens revoked\n", application.name)))
}

fn of_people(lines: &[String], email: &EmailAddress) -> Said {
    if lines.is_empty() {
        Said::Unusable(format!("nobody has signed in with {email}"))
    } else {
        Said::done(lines.concat())
    }
}

async fn live(opened: &Opened, user: &User) -> Result<Vec<SessionRow>, StoreError> {
    let now_ms = opened.clock.now_ms();
    let mut sessions = opened.store.sessions_of(user.id).await?;
    sessions.retain(|session| session.ended_ms.is_none() && session.expires_ms > now_ms);
    Ok(sessions)
}

/// The nonce is the key of the stored identity and no credential.
fn described(session: &SessionRow) -> String {
    format!(
        "  {}  from {}  since {}, until {}\n",
        session.nonce,
        session.address,
        ms_to_the_minute(session.created_ms),
        ms_to_the_minute(session.expires_ms)
    )
}
