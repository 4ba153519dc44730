//! A mock Microsoft Entra ID tenant for integration tests, as strict as the real one.
//!
//! It serves the login host and the Graph host on one plain-http address: metadata and keys, the sign-in page, the
//! token endpoint, sign-out, and the part of Graph a login needs. Its tokens are signed, its refusals carry
//! Microsoft's codes, and whatever Microsoft refuses it refuses too: a redirect address that differs in one
//! letter, a code used twice, scopes of two APIs, a `$count` without `ConsistencyLevel`.
//!
//! ```no_run
//! use mock_entra::{AppRegistration, Directory, MockEntra, Tenant, User};
//!
//! # async fn start() -> Result<(), mock_entra::StartFailure> {
//! let tenant = Tenant::new("72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60", "Contoso")
//!     .domain("contoso.example")
//!     .user(User::member("alice@contoso.example").name("Alice Example"))
//!     .app(
//!         AppRegistration::new("3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", "My app")
//!             .redirect_uri("http://localhost:3000/callback")
//!             .secret("not-so-secret")
//!             .permission("User.Read"),
//!     );
//! let entra = MockEntra::start(&tenant).await?;
//! println!("authority: {}/72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60/v2.0", entra.base_url());
//! # Ok(())
//! # }
//! ```
//!
//! # Signing in
//!
//! A browser gets a page with the tenant's people as buttons. A test gets by without one in *direct mode*: the
//! further query parameter `mock_user=<user principal name>` on the authorize address answers the final redirect
//! at once, after the same checks ([`MockEntra::signed_in_as`]). `mock_error=<AADSTS code>` answers that refusal at
//! the place Microsoft shows it.
//!
//! # While it runs
//!
//! [`Directory`] is a cheap handle: people can be disabled, groups changed, keys rotated, the clock moved, and
//! [`Fault`]s laid in wait, all between two requests. [`Directory::count`] and [`Directory::requests`] tell what
//! arrived.
//!
//! # How it is built
//!
//! [`Provisioning`] is a job of Entra's provisioning service: it tells an application by SCIM of those who are assigned to
//! it, in Entra's order and both its dialects; `/provisioning` is a page on which people are disabled and moved.
//!
//! `directory` holds what there is, `grants` what was handed out, `faults` what goes wrong. `authorize`, `token`,
//! `logout`, `discovery` and `graph` are the endpoints; `aadsts` and `graph::error` the refusals.

mod aadsts;
mod authorize;
mod client_auth;
mod clock;
mod directory;
mod discovery;
mod faults;
mod grants;
mod graph;
mod id_token;
mod jose;
mod json;
mod keys;
mod logout;
mod pages;
mod params;
mod provisioning;
mod random;
mod recorded;
mod scope;
mod server;
mod summary;
mod token;

pub use clock::Clock;
pub use directory::{
    AppRegistration, Directory, FederatedCredential, FileFault, Group, GroupClaim, MemberRef, Tenant,
    TenantHandle, User, demo,
};
pub use faults::{Endpoint, Fault, IdTokenFault};
pub use keys::KeyFailure;
pub use provisioning::{Dialect, Provisioning, Report};
pub use recorded::Recorded;
pub use server::{MockEntra, StartFailure};
