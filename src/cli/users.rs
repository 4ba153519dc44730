//! `vestibule users`: everybody who has signed in, and what the login and the directory say of them.

use std::fmt::Write as _;
use std::io;

use clap::Subcommand;

use super::opened::{Opened, Said, actor, open, tell};
use super::{ConfigFile, Exit, Terminal};
use crate::model::identity::Groups;
use crate::model::ids::{IdpId, UserId};
use crate::model::plain;
use crate::model::time::ms_to_the_minute;
use crate::session::table::Cause;
use crate::store::{
    AccessRequest, AccessRequestFilter, Document, Kind, ScimGroup, ScimKey, ScimSearch, ScimUser, Store,
    StoreError, User, UserOrder,
};

/// Users on a page of the list.
const PAGE: u32 = 50;
/// Failed logins that are shown.
const FAILED: u32 = 10;
/// People of one directory who have not signed in, in a list.
const TOLD: usize = 50;

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// List the users, who signed in last first; of a part, also people whom a directory provisioned and who have not yet
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
        /// The address of the last login, one that a directory gives, or the id
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
    // Nobody wants to read a whole directory.
    if let (Some(part), 1) = (part, page) {
        let search = ScimSearch {
            contains: Some(part.to_owned()),
            unlinked: true,
            ..ScimSearch::default()
        };
        for provider in opened.store.documents(Kind::IdentityProvider).await? {
            let told: Vec<ScimUser> = opened
                .store
                .scim_list(IdpId(provider.id), &search, 0, TOLD)
                .await?;
            for told in told {
                let _ = writeln!(lines, "{}", told_line(&told, &provider));
            }
        }
    }
    Ok(Said::done(lines))
}

/// A person of a directory who has not signed in, or of whom it is not known.
fn told_line(told: &ScimUser, provider: &Document) -> String {
    format!(
        "{}  {}  no seat, no login yet, provisioned by the directory of \"{}\"",
        told.id,
        told.record.user_name(),
        provider.name
    )
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
    let store = &opened.store;
    let users = match named.parse::<UserId>() {
        Ok(id) => store.user(id).await?.into_iter().collect(),
        Err(_) => match named.parse() {
            Ok(email) => store.users_with_email(&email).await?,
            Err(_) => Vec::new(),
        },
    };
    let mut text = String::new();
    for user in &users {
        text.push_str(&described(opened, user).await?);
    }
    for provider in store.documents(Kind::IdentityProvider).await? {
        for told in told_of(store, IdpId(provider.id), named).await? {
            match told.user {
                Some(user) if users.iter().any(|shown| shown.id == user) => {}
                Some(user) => {
                    if let Some(user) = store.user(user).await? {
                        text.push_str(&described(opened, &user).await?);
                    }
                }
                None => {
                    let lines = described_by_directory(store, &told).await?;
                    let _ = writeln!(text, "{}\n  {}", told_line(&told, &provider), lines.join("\n  "));
                }
            }
        }
    }
    if text.is_empty() {
        return Ok(Said::Unusable(format!(
            "nobody has signed in as \"{named}\", and no directory has told of them"
        )));
    }
    Ok(Said::done(text))
}

/// The people of a directory who have this address, name or id, each once.
async fn told_of(store: &Store, provider: IdpId, named: &str) -> Result<Vec<ScimUser>, StoreError> {
    let mut found: Vec<ScimUser> = Vec::new();
    for key in [ScimKey::Id(named), ScimKey::Name(named), ScimKey::Email(named)] {
        for told in store.scim_with::<ScimUser>(provider, key).await? {
            if !found.iter().any(|known| known.id == told.id) {
                found.push(told);
            }
        }
    }
    Ok(found)
}

/// What a directory says of somebody.
async fn described_by_directory(store: &Store, told: &ScimUser) -> Result<Vec<String>, StoreError> {
    let active = if told.record.is_active() {
        "active"
    } else {
        "inactive"
    };
    let external = told.record.external_id().unwrap_or("none");
    let mut lines = vec![format!(
        "SCIM     {}  {active}, externalId {external}, as of {}",
        told.record.user_name(),
        ms_to_the_minute(told.updated_ms)
    )];
    let key = told.id.to_string();
    let groups: Vec<ScimGroup> = store.scim_with(told.provider, ScimKey::Member(&key)).await?;
    for group in groups {
        let object = group.record.external_id.as_deref().unwrap_or("no object id");
        lines.push(format!("           {object} {}", group.record.display_name));
    }
    Ok(lines)
}

/// What was refused to somebody lately, the newest first: also before it was known that it was this user.
async fn refused_to(store: &Store, user: &User) -> Result<Vec<AccessRequest>, StoreError> {
    let refused = AccessRequestFilter {
        allowed: Some(false),
        limit: FAILED,
        ..AccessRequestFilter::default()
    };
    let of_user = AccessRequestFilter {
        user: Some(user.id),
        ..refused.clone()
    };
    let mut found = store.access_requests(&of_user).await?;
    if user.email.is_some() {
        let of_address = AccessRequestFilter {
            email: user.email.clone(),
            user_known: Some(false),
            ..refused
        };
        found.extend(store.access_requests(&of_address).await?);
    }
    found.sort_by_key(|request| std::cmp::Reverse(request.at_ms));
    found.truncate(usize::try_from(FAILED).unwrap_or(usize::MAX));
    Ok(found)
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
    let last = store.newest_session_of(user.id).await?;
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
        Some(told) => described_by_directory(store, &told)
            .await?
            .into_iter()
            .for_each(&mut add),
    }
    for request in refused_to(store, user).await? {
        let app = request.app_name.as_deref().unwrap_or("--");
        let reason = request.reason.as_deref().unwrap_or_default();
        add(format!(
            "refused  {}  {app}  from {}: {reason}",
            ms_to_the_minute(request.at_ms),
            request.address
        ));
    }
    text.push('\n');
    Ok(text)
}

async fn readmit(opened: &Opened, user: UserId) -> Result<Said, StoreError> {
    let Some(known) = opened.store.user(user).await? else {
        return Ok(Said::Unusable(format!("nobody has the id {user}")));
    };
    if !known.deprovisioned {
        return Ok(Said::done("was not out\n"));
    }
    let (order, cause) = (UserOrder::Readmit, Cause::Administrator.word());
    opened.store.order(user, &order, cause, &actor("users")).await?;
    Ok(Said::done(
        "may sign in again, unless a directory that provisions says otherwise\n",
    ))
}
