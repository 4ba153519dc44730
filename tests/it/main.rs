//! The integration tests: one binary, a folder a capability.

#[cfg(test)]
mod support;

#[cfg(test)]
mod entra;

#[cfg(test)]
mod proxy;

#[cfg(test)]
mod manage;

#[cfg(test)]
mod store;

#[cfg(test)]
mod house;
