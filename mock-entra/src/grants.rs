//! What the mock has handed out and will recognise again: codes, refresh tokens, access tokens, sign-in sessions.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::directory::Tenant;
use crate::scope::{Resource, Scopes};

/// Life of an authorization code in seconds: "about 10 minutes".
/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow>
pub(crate) const CODE_LIFE: i64 = 600;

/// A refresh token dies after 90 days without use.
/// <https://learn.microsoft.com/entra/identity-platform/refresh-tokens>
pub(crate) const REFRESH_IDLE: i64 = 90 * 86_400;

/// One person's sign-in to one application: what a code or a refresh token stands for.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    /// The tenant signed in to.
    pub(crate) tenant: String,
    /// The application.
    pub(crate) client_id: String,
    /// The person.
    pub(crate) oid: String,
    /// What was asked for.
    pub(crate) scopes: Scopes,
    /// Authentication contexts asked for and satisfied.
    pub(crate) contexts: BTreeSet<String>,
    /// When the person last proved who they are.
    pub(crate) auth_time: i64,
    /// The session at the mock's sign-in page (claim `sid`).
    pub(crate) sid: String,
    /// Whether the client announced that it understands claims challenges (`xms_cc` = `cp1`).
    pub(crate) understands_challenges: bool,
    /// The person's [`crate::directory::User`] generation at that time.
    pub(crate) generation: u64,
    /// When this grant was made.
    pub(crate) issued: i64,
}

/// An authorization code.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    /// What it stands for.
    pub(crate) login: Login,
    /// The redirect address it was sent to.
    pub(crate) redirect_uri: String,
    /// The nonce of the request.
    pub(crate) nonce: Option<String>,
    /// The PKCE challenge of the request.
    pub(crate) challenge: Option<Challenge>,
    /// Whether it was redeemed.
    pub(crate) redeemed: bool,
}

/// A PKCE challenge (RFC 7636 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// base64url(SHA-256(verifier)).
    S256(String),
    /// The verifier itself.
    Plain(String),
}

/// A refresh token.
#[derive(Debug, Clone)]
pub(crate) struct Refresh {
    /// What it stands for.
    pub(crate) login: Login,
    /// When it was last redeemed, or made.
    pub(crate) last_use: i64,
}

/// An access token.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// The tenant it is for.
    pub(crate) tenant: String,
    /// The application it was given to.
    pub(crate) client_id: String,
    /// The person it acts for; none: the application itself.
    pub(crate) oid: Option<String>,
    /// The API it opens.
    pub(crate) resource: Resource,
    /// What it permits there.
    pub(crate) permissions: BTreeSet<String>,
    /// When it was made.
    pub(crate) issued: i64,
    /// When it expires.
    pub(crate) expires: i64,
    /// The person's generation when it was made; 0 for the app itself.
    pub(crate) generation: u64,
    /// Whether Graph may answer it with a claims challenge.
    pub(crate) understands_challenges: bool,
}

/// A browser's session at the sign-in page of one tenant.
#[derive(Debug, Clone)]
pub(crate) struct BrowserSession {
    /// The tenant.
    pub(crate) tenant: String,
    /// The person.
    pub(crate) oid: String,
    /// The claim `sid`.
    pub(crate) sid: String,
    /// When the person proved who they are.
    pub(crate) auth_time: i64,
    /// The applications signed in to in this session: sign-out tells each of them.
    pub(crate) apps: BTreeSet<String>,
}

/// Everything handed out, by its secret value.
#[derive(Default)]
pub(crate) struct Grants {
    /// Authorization codes.
    pub(crate) codes: HashMap<String, Code>,
    /// Refresh tokens.
    pub(crate) refresh: HashMap<String, Refresh>,
    /// Access tokens.
    pub(crate) access: HashMap<String, Access>,
    /// Sign-in sessions by cookie value.
    pub(crate) sessions: HashMap<String, BrowserSession>,
    /// `jti` values of client assertions seen, by client.
    pub(crate) assertions: BTreeSet<(String, String)>,
    /// The rest of a Graph list, by the skip token of the link to it.
    pub(crate) pages: HashMap<String, Page>,
    /// Where clients stand that follow changes, by the token of the link they were given.
    pub(crate) deltas: HashMap<String, Delta>,
}

/// Where a Graph list goes on.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// How many entries were already given.
    pub(crate) offset: usize,
    /// The number of this page; the first is 1.
    pub(crate) number: u32,
    /// The path the token belongs to.
    pub(crate) path: String,
}

/// Where a client stands that follows changes.
#[derive(Debug, Clone)]
pub(crate) struct Delta {
    /// The list it follows, by its path.
    pub(crate) path: String,
    /// `$select` of the first request.
    pub(crate) select: String,
    /// The state that the client knew when this round began; none: nothing.
    pub(crate) known: Option<Arc<Tenant>>,
    /// The state that the round before began with.
    pub(crate) before: Option<Arc<Tenant>>,
    /// The state that this round ends with; none: the present one.
    pub(crate) target: Option<Arc<Tenant>>,
    /// How many entries of the round were given.
    pub(crate) offset: usize,
    /// The number of the page; the first is 1.
    pub(crate) number: u32,
    /// When the token was made.
    pub(crate) issued: i64,
}
