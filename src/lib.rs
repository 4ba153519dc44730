//! Vestibule: a self-hosted login gateway for Microsoft Entra ID, wire-compatible with Cloudflare Access.

// In the order of dependency; a module uses only what stands above it.
pub mod clock;
pub mod crypto;
pub mod model;
pub mod shutdown;

pub mod config;
pub mod telemetry;

pub mod store;

pub mod entra;
pub mod policy;
pub mod router;

pub mod snapshot;

pub mod proxy;
pub mod session;

pub mod feed;
pub mod manage;

pub mod login;
pub mod pages;

pub mod gate;

pub mod listener;

pub mod app;

pub mod cli;
