//! `vestibule approvals`: who may enter for a time, who waits, and out with them.

use std::io;

use clap::Subcommand;
use jiff::Timestamp;
use uuid::Uuid;

use super::opened::{Opened, open};
use super::{ConfigFile, Exit, Terminal};
use crate::store::{ApprovalRequest, ApprovalState, StoreError};

#[derive(Debug, Subcommand)]
pub(super) enum ApprovalsCommand {
    /// Show requests that wait for approvers, and leave that still holds
    List {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Take leave back: streams that it opened are cut within a second
    Withdraw {
        /// The request's id, as `list` shows it
        id: Uuid,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: ApprovalsCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (ApprovalsCommand::List { file } | ApprovalsCommand::Withdraw { file, .. }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let said = match &command {
        ApprovalsCommand::List { .. } => list(&opened).await.map(Some),
        ApprovalsCommand::Withdraw { id, .. } => withdraw(&opened, *id).await,
    };
    opened.store.close().await;
    match said {
        Ok(Some(said)) => write!(terminal.out, "{said}").map(|()| Exit::Fine),
        Ok(None) => {
            writeln!(terminal.err, "vestibule: no leave with that id holds")?;
            Ok(Exit::Unusable)
        }
        Err(error) => {
            writeln!(terminal.err, "vestibule: {error}")?;
            Ok(Exit::Unavailable)
        }
    }
}

async fn list(opened: &Opened) -> Result<String, StoreError> {
    let requests = opened.store.open_approval_requests().await?;
    Ok(requests.iter().map(described).collect())
}

async fn withdraw(opened: &Opened, id: Uuid) -> Result<Option<String>, StoreError> {
    let withdrawn = opened.store.withdraw_approval(id).await?;
    Ok(withdrawn
        .map(|(request, sessions)| format!("{}  taken back, {} sessions\n", request.id, sessions.len())))
}

fn described(request: &ApprovalRequest) -> String {
    let at = |ms| {
        let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        at.strftime("%Y-%m-%d %H:%M UTC").to_string()
    };
    let who = request.email.clone().unwrap_or_else(|| request.user.to_string());
    let how = match (request.state, request.until_ms) {
        (ApprovalState::Granted, Some(until)) => format!("until {}", at(until)),
        _ => format!("waiting since {}", at(request.created_ms)),
    };
    format!("{}  {who}  application {}  {how}\n", request.id, request.app)
}
