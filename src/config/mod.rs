//! Configuration: one TOML file, read once into what it means, every fault named at once.
//!
//! The file holds what the process needs before it can ask anyone, and objects that are to be as declared. What was
//! written never leaves this module: everything here has been parsed, references are resolved, secrets are loaded.
//! The environment enters only through `{ env = "NAME" }`.

pub mod clouds;
pub mod declared;
pub mod faults;
pub mod forward_auth;
pub mod geo;
pub mod listen;
pub mod log;
pub mod organization;
pub mod outbound;
pub mod smtp;
pub mod store;

mod api_tokens;
mod application_settings;
mod applications;
mod authorities;
mod bounds;
mod certificate;
mod certificate_rules;
mod cross;
mod custom_pages;
mod groups;
mod launcher;
mod lists;
mod load;
mod looks;
mod master_key;
mod names;
mod policies;
mod providers;
mod refusals;
mod rules;
mod scim;
mod secret;
mod service_tokens;
mod sources;
mod suggest;
mod tree;
mod upstreams;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use secrecy::SecretSlice;

use self::declared::Declarations;
use self::faults::Fault;
use self::geo::GeoConfig;
use self::listen::Listen;
pub use self::load::{Surroundings, environment, load, load_text};
use self::log::LogConfig;
use self::organization::OrganizationConfig;
use self::outbound::OutboundConfig;
use self::smtp::SmtpConfig;
use self::store::StoreConfig;
use crate::model::idp::Cloud;
use crate::model::upstream::Upstream;

/// What a configuration file means. `Debug` shows no secret.
#[derive(Debug)]
pub struct Config {
    /// Who the gateway belongs to.
    pub organization: OrganizationConfig,
    /// Where it listens.
    pub listen: Listen,
    /// Where it keeps what it must remember.
    pub store: StoreConfig,
    /// The key that seals what is secret at rest and in transit: at least 32 bytes.
    pub master_key: SecretSlice<u8>,
    /// The clouds a provider may name in `azure_cloud`, by that name: Microsoft's and those of the file.
    pub clouds: BTreeMap<String, Cloud>,
    /// Where allowed requests are sent.
    pub upstreams: Vec<Upstream>,
    /// Objects the file declares.
    pub declarations: Declarations,
    /// Who tells the country a request comes from.
    pub geo: GeoConfig,
    /// What the gateway itself may call.
    pub outbound: OutboundConfig,
    /// How mail is sent, where it is.
    pub smtp: Option<SmtpConfig>,
    /// What is logged and how.
    pub log: LogConfig,
    /// What is permitted but deserves a second look.
    pub warnings: Vec<Fault>,
}
