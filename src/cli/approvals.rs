//! `vestibule approvals`: who may enter for a time, who waits, and out with them.

use std::io;

use clap::Subcommand;
use uuid::Uuid;

use super::opened::{Opened, Said, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::model::time::ms_to_the_minute;
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
        ApprovalsCommand::List { .. } => list(&opened).await,
        ApprovalsCommand::Withdraw { id, .. } => withdraw(&opened, *id).await,
    };
    opened.store.close().await;
    tell(said, terminal)
}

async fn list(opened: &Opened) -> Result<Said, StoreError> {
    let requests = opened.store.open_approval_requests().await?;
    Ok(Said::done(requests.iter().map(described).collect::<String>()))
}

async fn withdraw(opened: &Opened, id: Uuid) -> Result<Said, StoreError> {
    let withdrawn = opened.store.withdraw_approval(id).await?;
    Ok(match withdrawn {
        Some((request, sessions)) => Said::done(format!(
            "{}  taken back, {} sessions\n",
            request.id,
            sessions.len()
        )),
        None => Said::Unusable("no leave with that id holds".to_owned()),
    })
}

fn described(request: &ApprovalRequest) -> String {
    let who = request.email.clone().or_else(|| request.name.clone());
    let who = who.unwrap_or_else(|| request.user.to_string());
    let how = match (request.state, request.until_ms) {
        (ApprovalState::Granted, Some(until)) => format!("until {}", ms_to_the_minute(until)),
        _ => format!("waiting since {}", ms_to_the_minute(request.created_ms)),
    };
    format!("{}  {who}  application {}  {how}\n", request.id, request.app)
}
