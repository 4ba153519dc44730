//! Objects of the API, in Cloudflare's shape, read into the types of the domain.
//!
//! What this version does not enforce is a problem, not ignored: a policy that asks for approval must not let people in
//! without. Keys that cannot open anything (`logo_url`, `tags`) and those that the server owns are passed over.

mod api_token;
mod application;
mod certificate;
mod custom_page;
mod design;
mod group;
mod identity_provider;
mod list;
mod object;
mod organization;
mod policy;
mod references;
mod rules;
mod scim_config;
mod service_token;
mod settings;

pub use api_token::api_token;
pub use application::{ReadApplication, application, is_launcher};
pub use certificate::certificate;
pub use custom_page::custom_page;
pub use group::group;
pub use identity_provider::identity_provider;
pub use list::list;
pub use object::{Problem, asks_for_something};
pub use organization::{KEY_ROTATION, SETTINGS, organization_settings};
pub use policy::policy;
pub use references::{Around, Named};
pub use scim_config::{directory_settings, sync_settings};
pub use service_token::service_token;

pub(super) use application::readable_part as readable_application;
pub(super) use organization::readable_settings;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
