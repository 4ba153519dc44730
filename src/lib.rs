//! Vestibule: a self-hosted login gateway for Microsoft Entra ID, wire-compatible with Cloudflare Access.
//!
//! It stands before applications that have no login of their own. Who is not signed in is sent to Microsoft; who is
//! gets in where the application's policies say so, and the application reads in `Cf-Access-Jwt-Assertion` who it is.
//!
//! # Two planes
//! The **data plane** is one thread a core, each with its sockets, its connections and its caches ([`listener`],
//! [`gate`], [`proxy`]). It works from memory alone: the [`snapshot`] (all configuration, compiled, replaced whole) and
//! the table of live [`session`]s. The **control plane** is a runtime of its own for everything that waits for the
//! [`store`] or for Microsoft ([`login`], [`feed`], the chores of [`app`]); a slow answer there delays no proxied byte.
//!
//! # The life of a request
//! ```text
//! accept ─ TLS ─ HTTP      listener     deadlines, caps, the client's address behind trusted proxies
//!   │
//!   ▼
//! target                   router       the one parse of host and path; what has two readings gets 400
//!   │                                   /cdn-cgi/access/…  ──▶ control plane (login), bounded: 503 when it is full
//!   ▼
//! route                    snapshot     most specific host, then path; unknown host 404, path of nobody 403
//!   │
//!   ▼
//! identify                 session      SHA-256 of the token → verified before? kind, audience, key, session: each time
//!   │                                   a session not known here is asked for once, through the control plane
//!   ▼
//! decide                   policy       pure; yes, no or unknown; a Permit, a sign-in or a refusal
//!   │                                   nobody: 302 to the login (login::challenge) · refused: 403
//!   ▼
//! renew                    gate         a token past its end or near it is replaced, on the control plane (login::renew)
//!   │
//!   ▼
//! forward                  proxy        takes the Permit; strip, then set; bodies stream both ways
//!   │
//!   ▼
//! watch                    gate         five times a second: does what it was permitted by still stand? else it is cut
//! ```
//! [`gate::Gate::answer`] is the whole of it, from top to bottom. Where another proxy stays in front and only asks
//! (forward-auth), [`gate::Gate::verify`] goes the same way up to the decision. Where to look for what:
//!
//! - [`router::Target`] says which bytes are decided on and which are forwarded, and that both mean the same.
//! - [`session::identify`] spares the signature of a token seen before, and nothing else.
//! - [`policy::Permit`] has no public constructor: [`proxy::forward()`] cannot be called without a decision.
//! - [`proxy::open_streams`] holds everything in flight on a core and ends it with its session.
//!
//! # The life of a login
//! ```text
//! GET app/deep?x=1         challenge    `meta`, sealed: application, host, path, this browser     + CF_AppSession
//!   │ 302
//! GET auth…/login          start        live session → hand over; one provider → there; else the chooser
//!   │ 302, or a page that keeps the #fragment
//! Microsoft                             `state`, sealed: PKCE verifier, nonce, landing, this browser  + CF_Session
//!   │ 302
//! GET auth…/callback       callback     seal, browser, single use ─▶ code ─▶ ID token ─▶ e-mail ─▶ groups (entra)
//!   │                      sign_in      session row, unless the person was ended meanwhile    + CF_Authorization (org)
//!   │ 302 with a ticket: one minute, one use, one host, one browser
//! GET app…/authorized      authorized   policies asked again; application token minted        + CF_Authorization (app)
//!   │ 302
//! GET app/deep?x=1                      the life of a request, above
//! ```
//! Nothing is kept between the steps: any replica answers any of them, and a restart in between loses nobody. See
//! [`login`] for the chain and [`entra`] for Microsoft's side of it.
//!
//! # The life of a change
//! Every object write and every ending of sessions appends a row to `changes` in its own transaction ([`store`] says
//! why their order can be relied on). Each replica follows them ([`feed`]): endings are applied at once, objects and
//! keys lead to a new [`snapshot`], and the next request of a live session is decided by it. [`manage`] is the only
//! writer of objects, [`session::revoke`] the only way to end a session.
//!
//! # The rule of the house
//! A module uses only what stands above it in the list below. What cannot be read, evaluated or reached denies: nothing
//! is ever let through because something is missing.

// In the order of dependency; a module uses only what stands above it.
pub mod clock;
pub mod crypto;
pub mod model;
pub mod shutdown;

pub mod config;
pub mod telemetry;

pub mod geo;
pub mod store;

pub mod entra;
pub mod mail;
pub mod policy;
pub mod router;

pub mod evaluation;
pub mod snapshot;

pub mod proxy;
pub mod session;

pub mod feed;
pub mod manage;

pub mod api;
pub mod directory;
pub mod login;
pub mod pages;
pub mod scim;

pub mod gate;

pub mod listener;

pub mod app;

pub mod cli;
