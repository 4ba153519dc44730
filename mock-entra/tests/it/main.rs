//! For each strictness: a client that is wrong in that point alone is refused with Microsoft's code, next to the
//! right client, who is served.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is missing, in its helpers too"
)]

mod authorize;
mod client_auth;
mod delta;
mod directory;
mod graph;
mod id_token;
mod logout;
mod provisioning;
mod shapes;
mod support;
mod token;
