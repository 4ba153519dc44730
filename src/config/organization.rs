//! `[organization]`: who the gateway belongs to.

use std::collections::BTreeSet;
use std::time::Duration;

use url::Url;

use super::bounds::Bounds;
use super::looks;
use super::tree::{Keys, Node, Table};
use crate::model::design::LoginDesign;
use crate::model::duration::GoDuration;
use crate::model::host::Host;
use crate::model::ids::AccountId;
use crate::model::organization::{AuthUrl, OrganizationPages, SEAT_LEAST, SEAT_MOST, SETTINGS};
use crate::model::refusals::Refusals;
use crate::model::selector::Unevaluated;
use crate::model::service_token::{INACTIVITY_DAYS, Inactivity, InactivityAction, ServiceTokenRules};
use crate::model::token_duration::LONGEST_SESSION;

/// The organization as the file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationConfig {
    /// Its name on the pages.
    pub name: String,
    /// Where the auth host is.
    pub auth: AuthUrl,
    /// The account in API paths; generated once where absent.
    pub account_id: Option<AccountId>,
    /// How long an organization session lives.
    pub session_duration: GoDuration,
    /// Whether signing out also signs out at the identity provider.
    pub sign_out_at_provider: bool,
    /// After how long without use a session is over; unset means never.
    pub idle_timeout: Option<GoDuration>,
    /// Addresses besides our own hosts' that a sign-out may lead to.
    pub logout_return_to: Vec<Url>,
    /// Whether a single provider is gone to without a chooser, where an application does not say.
    pub auto_redirect_to_identity: Option<bool>,
    /// Pages shown to those who are refused.
    pub custom_pages: OrganizationPages,
    /// What its pages wear.
    pub login_design: LoginDesign,
    /// A further host on which programs may fetch their tokens.
    pub transfer_host: Option<Host>,
    /// How service tokens are taken.
    pub service_tokens: ServiceTokenRules,
    /// How long somebody may stay away until their seat is freed; unset means for ever.
    pub seat_expiration: Option<GoDuration>,
    /// Selectors that are taken although they are never evaluated here: always unknown.
    pub accept_unevaluated_selectors: BTreeSet<Unevaluated>,
    /// What people are told who are refused; a table of its own in the file.
    pub refusals: Refusals,
    /// Which of [`SETTINGS`] are written.
    pub in_file: BTreeSet<String>,
}

pub(super) const KEYS: Keys = Keys {
    known: &[
        "name",
        "auth_url",
        "account_id",
        "session_duration",
        "sign_out_at_provider",
        "idle_timeout",
        "auto_redirect_to_identity",
        "custom_pages",
        "login_design",
        "logout_return_to",
        "transfer_host",
        "strict_service_token_auth",
        "service_token_inactivity",
        "user_seat_expiration_inactive_time",
        "accept_unevaluated_selectors",
    ],
    refused: &[(
        "auth_domain",
        "the auth host is given with its scheme, as auth_url",
    )],
};

pub(super) const PAGES_KEYS: Keys = Keys {
    known: &["identity_denied", "forbidden"],
    refused: &[],
};

/// Access: an organization session lasts between a quarter of an hour and a month.
pub(super) const SESSION: Bounds = Bounds {
    least: Duration::from_mins(15),
    most: LONGEST_SESSION,
    said: "15m to 720h",
};

/// Uses are written down for other replicas once a minute: a time-out must be a good deal longer than that.
const IDLE: Bounds = Bounds {
    least: Duration::from_mins(5),
    most: Duration::from_hours(720),
    said: "5m to 720h",
};

const SEAT: Bounds = Bounds {
    least: SEAT_LEAST,
    most: SEAT_MOST,
    said: "730h to 87600h",
};

/// Addresses that a sign-out may lead to: each is compared with what was asked for.
const MOST_RETURNS: usize = 100;

pub(super) const INACTIVITY: Keys = Keys {
    known: &["enabled", "inactivity_threshold_days", "action"],
    refused: &[],
};
const DAYS: &str = "write inactivity_threshold_days = 90, or another number from 30 to 365";
const ACTIONS: &[(&str, InactivityAction)] = &[
    ("disable", InactivityAction::Disable),
    ("delete", InactivityAction::Delete),
];

pub(super) fn read(node: &Node<'_>) -> Option<OrganizationConfig> {
    let table = node.table(&KEYS)?;
    let name = table
        .need("name", "write name = \"Example\", as people shall see it")
        .and_then(|node| node.name());
    let auth = table
        .need("auth_url", "write auth_url = \"https://login.example.com\"")
        .and_then(|node| auth_url(&node));
    let account_id = table
        .node("account_id")
        .map(|node| node.parsed("leave it out: one is generated"));
    let session_duration = table
        .node("session_duration")
        .map_or(Some(GoDuration::hours(24)), |node| SESSION.parse(&node));
    let sign_out_at_provider = table
        .node("sign_out_at_provider")
        .map_or(Some(false), |node| node.boolean());
    let idle_timeout = table
        .node("idle_timeout")
        .map_or(Some(None), |node| IDLE.parse(&node).map(Some));
    let logout_return_to = table
        .node("logout_return_to")
        .map_or(Some(Vec::new()), |node| returns(&node));
    let transfer_host = table
        .node("transfer_host")
        .map(|node| transfer_host(&node, auth.as_ref()));
    let service_tokens = service_tokens(&table);
    let auto_redirect_to_identity = table
        .node("auto_redirect_to_identity")
        .map_or(Some(None), |node| node.boolean().map(Some));
    let custom_pages = table
        .node("custom_pages")
        .map_or(Some(OrganizationPages::default()), |node| pages(&node));
    let login_design = table
        .node("login_design")
        .map_or(Some(LoginDesign::PLAIN), |node| looks::login(&node));
    let seat_expiration = table
        .node("user_seat_expiration_inactive_time")
        .map_or(Some(None), |node| SEAT.parse(&node).map(Some));
    let in_file = SETTINGS.iter().filter(|key| table.node(key).is_some());
    let in_file = in_file.map(|key| (*key).to_owned()).collect();
    Some(OrganizationConfig {
        name: name?.to_owned(),
        auth: auth?,
        account_id: account_id.map_or(Some(None), |id| id.map(Some))?,
        session_duration: session_duration?,
        sign_out_at_provider: sign_out_at_provider?,
        idle_timeout: idle_timeout?,
        logout_return_to: logout_return_to?,
        auto_redirect_to_identity: auto_redirect_to_identity?,
        custom_pages: custom_pages?,
        login_design: login_design?,
        transfer_host: transfer_host.map_or(Some(None), |host| host.map(Some))?,
        service_tokens: service_tokens?,
        seat_expiration: seat_expiration?,
        accept_unevaluated_selectors: BTreeSet::new(),
        refusals: Refusals::default(),
        in_file,
    })
}

fn transfer_host(node: &Node<'_>, auth: Option<&AuthUrl>) -> Option<Host> {
    const MEND: &str = "write \"login.cloudflareaccess.org\", which cloudflared asks, or leave it out";
    let host: Host = node.parsed(MEND)?;
    if auth.is_some_and(|auth| *auth.host() == host) {
        node.fault("the auth host serves it in any case", "leave it out");
        return None;
    }
    Some(host)
}

/// Which pages; whether there are such is seen once all pages are known.
fn pages(node: &Node<'_>) -> Option<OrganizationPages> {
    let table = node.table(&PAGES_KEYS)?;
    let page = |key| match table.node(key) {
        Some(node) => node.text().map(|text| Some(text.to_owned())),
        None => Some(None),
    };
    Some(OrganizationPages {
        identity_denied: page("identity_denied")?,
        forbidden: page("forbidden")?,
    })
}

fn returns(node: &Node<'_>) -> Option<Vec<Url>> {
    let nodes = node.array()?;
    if nodes.len() > MOST_RETURNS {
        node.fault(format!("more than {MOST_RETURNS} addresses"), "name fewer");
        return None;
    }
    nodes.iter().map(return_to).collect()
}

fn return_to(node: &Node<'_>) -> Option<Url> {
    const MEND: &str = "write https://www.example.com/";
    let url: Url = node.parsed(MEND)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let web = matches!(url.scheme(), "https" | "http") && url.host_str().is_some();
    if !(plain && web) {
        node.fault(
            "only an http or https address without user name and fragment can be returned to",
            MEND,
        );
        return None;
    }
    Some(url)
}

fn service_tokens(table: &Table<'_>) -> Option<ServiceTokenRules> {
    let strict = table
        .node("strict_service_token_auth")
        .map_or(Some(false), |node| node.boolean());
    let inactivity = table
        .node("service_token_inactivity")
        .map(|node| inactivity(&node));
    Some(ServiceTokenRules {
        strict: strict?,
        inactivity: match inactivity {
            None => None,
            Some(written) => {
                let (inactivity, enabled) = written?;
                enabled.then_some(inactivity)
            }
        },
    })
}

/// What is written of inactivity, and whether it is in force.
fn inactivity(node: &Node<'_>) -> Option<(Inactivity, bool)> {
    let table = node.table(&INACTIVITY)?;
    let enabled = table.node("enabled").map_or(Some(true), |node| node.boolean());
    let days = table
        .need("inactivity_threshold_days", DAYS)
        .and_then(|node| node.whole_number(INACTIVITY_DAYS, DAYS));
    let action = table
        .need("action", "write action = \"disable\" or \"delete\"")
        .and_then(|node| node.one_of(ACTIONS));
    let inactivity = Inactivity {
        days: days?,
        action: action?,
    };
    Some((inactivity, enabled?))
}

/// Which selectors are taken although they are never evaluated. Read by itself: other faults of the section are none of
/// the rules'.
pub(super) fn accepted(node: &Node<'_>) -> Option<BTreeSet<Unevaluated>> {
    let table = node.is_table().then(|| node.any_table()).flatten();
    let Some(node) = table.and_then(|table| table.node("accept_unevaluated_selectors")) else {
        return Some(BTreeSet::new());
    };
    let words = Unevaluated::ALL.map(|selector| (selector.as_str(), selector));
    let read: Vec<_> = node.array()?.iter().map(|node| node.one_of(&words)).collect();
    read.into_iter().collect()
}

fn auth_url(node: &Node<'_>) -> Option<AuthUrl> {
    let url: Url = node.parsed("write https://login.example.com")?;
    match AuthUrl::try_from(url) {
        Ok(auth) => Some(auth),
        Err(refused) => {
            node.fault(refused.to_string(), "write https://login.example.com");
            None
        }
    }
}
