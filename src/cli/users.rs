//! `vestibule users`: everybody who has signed in, and what the login and the directory say of them.

use std::fmt::Write as _;
use std::io;

use clap::Subcommand;

use super::opened::{Opened, Said, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::model::identity::Groups;
use crate::model::ids::UserId;
use crate::model::plain;
use crate::model::time::ms_to_the_minute;
use crate::store::{AccessRequestFilter, ScimKey, StoreError, User};

/// Users on a page of the list.
const PAGE: u32 = 50;
/// Failed logins that are shown.
const FAILED: u32 = 10;

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// List the users, who signed in last first
    List {
        /// Part of an address or name
        part: Option<String>,
        /// Which page, from 1
        #[arg(long, default_value_t = 1)]
        page: u32,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Show a user: sessions, failed logins, and what login and directory say side by side
    Show {
        /// The address of the last login, or the id
        user: String,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Let a user sign in again whom a directory put out that provisions no longer
    Readmit {
        /// The id, as `list` shows it
        user: UserId,
        #[command(flatten)]
        file: ConfigFile,
    },
}

pub(super) async fn run(command: UsersCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let (UsersCommand::List { file, .. }
    | UsersCommand::Show { file, .. }
    | UsersCommand::Readmit { file, .. }) = &command;
    let opened = match open(&file.config, terminal).await? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let said = match &command {
        UsersCommand::List { part, page, .. } => list(&opened, part.as_deref(), *page).await,
        UsersCommand::Show { user, .. } => show(&opened, user).await,
        UsersCommand::Readmit { user, .. } => readmit(&opened, *user).await,
    };
    opened.store.close().await;
    tell(said, terminal)
}

async fn list(opened: &Opened, part: Option<&str>, page: u32) -> Result<Said, StoreError> {
    let mut lines = String::new();
    for user in opened.store.users_by_login(part, (PAGE, page)).await? {
        let _ = writeln!(lines, "{}", line(&user)); // writing to a String cannot fail
    }
    Ok(Said::done(lines))
}

fn line(user: &User) -> String {
    let email = user.email.as_deref().unwrap_or("(no address)");
    let seat = if user.seat { "seat" } else { "no seat" };
    let out = if user.deprovisioned {
        "  out: the directory says so"
    } else {
        ""
    };
    let line = format!(
        "{}  {email}  {seat}, last login {}{out}",
        user.id,
        ms_to_the_minute(user.last_login_ms)
    );
    plain::visible(&line).into_owned()
}

async fn show(opened: &Opened, named: &str) -> Result<Said, StoreError> {
    let users = match named.parse::<UserId>() {
        Ok(id) => opened.store.user(id).await?.into_iter().collect(),
        Err(_) => match named.parse() {
            Ok(email) => opened.store.users_with_email(&email).await?,
            Err(_) => Vec::new(),
        },
    };
    if users.is_empty() {
        return Ok(Said::Unusable(format!("nobody has signed in as \"{named}\"")));
    }
    let mut text = String::new();
    for user in &users {
        text.push_str(&described(opened, user).await?);
    }
    Ok(Said::done(text))
}

async fn described(opened: &Opened, user: &User) -> Result<String, StoreError> {
    let store = &opened.store;
    let mut text = line(user);
    let mut add = |line: String| {
        text.push_str("\n  ");
        text.push_str(&plain::visible(&line));
    };
    add(format!(
        "person   tenant {} object {}",
        user.person.tenant, user.person.object
    ));
    for session in store.live_sessions_of(user.id).await? {
        let country = session.identity.country.as_deref().unwrap_or("--");
        let agent = session.agent.as_deref().unwrap_or("(no browser named)");
        let since = ms_to_the_minute(session.created_ms);
        add(format!(
            "session  {}  {} {country}  since {since}  {agent}",
            session.nonce, session.address
        ));
    }
    let last = store.sessions_of(user.id).await?.into_iter().next();
    if let Some(session) = last {
        let identity = &session.identity;
        let groups = match &identity.groups {
            Groups::NotAsked => "groups not asked".to_owned(),
            Groups::Known { groups } => format!("{} groups", groups.len()),
            Groups::Unknown { partial, reason } => {
                format!("{} groups, others unknown: {reason}", partial.len())
            }
        };
        add(format!("login    {}  {groups}", identity.label()));
        for group in identity.groups.held() {
            add(format!(
                "           {} {}",
                group.id,
                group.name.as_deref().unwrap_or_default()
            ));
        }
    }
    match store.scim_user_of(user.id).await? {
        None => add("SCIM     the directory has not told of this person".to_owned()),
        Some(told) => {
            let active = if told.record.is_active() {
                "active"
            } else {
                "inactive"
            };
            let external = told.record.external_id().unwrap_or("none");
            add(format!(
                "SCIM     {}  {active}, externalId {external}, as of {}",
                told.record.user_name(),
                ms_to_the_minute(told.updated_ms)
            ));
            let key = told.id.to_string();
            for group in store
                .scim_groups_with(told.provider, ScimKey::Member(&key))
                .await?
            {
                let object = group.record.external_id.as_deref().unwrap_or("no object id");
                add(format!("           {object} {}", group.record.display_name));
            }
        }
    }
    let failed = AccessRequestFilter {
        email: user.email.clone(),
        allowed: Some(false),
        limit: FAILED,
        ..AccessRequestFilter::default()
    };
    if user.email.is_some() {
        for request in store.access_requests(&failed).await? {
            let app = request.app_name.as_deref().unwrap_or("--");
            let reason = request.reason.as_deref().unwrap_or_default();
            add(format!(
                "refused  {}  {app}  from {}: {reason}",
                ms_to_the_minute(request.at_ms),
                request.address
            ));
        }
    }
    text.push('\n');
    Ok(text)
}

async fn readmit(opened: &Opened, user: UserId) -> Result<Said, StoreError> {
    if opened.store.user(user).await?.is_none() {
        return Ok(Said::Unusable(format!("nobody has the id {user}")));
    }
    Ok(Said::done(if opened.store.readmit_user(user).await? {
        "may sign in again, unless a directory that provisions says otherwise\n"
    } else {
        "was not out\n"
    }))
}
