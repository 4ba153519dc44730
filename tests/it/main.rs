//! The integration tests: one binary, a folder a capability.

#[cfg(test)]
mod support;

#[cfg(test)]
mod abuse;

#[cfg(test)]
mod api;

#[cfg(test)]
mod asking;

#[cfg(test)]
mod browser;

#[cfg(test)]
mod clients;

#[cfg(test)]
mod directory_sync;

#[cfg(test)]
mod entra;

#[cfg(test)]
mod facts;

#[cfg(test)]
mod forward_auth;

#[cfg(test)]
mod explain;

#[cfg(test)]
mod idp_test;

#[cfg(test)]
mod login;

#[cfg(test)]
mod manage;

#[cfg(test)]
mod policies;

#[cfg(test)]
mod proxy;

#[cfg(test)]
mod revocation;

#[cfg(test)]
mod scim;

#[cfg(test)]
mod service_tokens;

#[cfg(test)]
mod settings;

#[cfg(test)]
mod store;

#[cfg(test)]
mod house;
