//! Signing in at Microsoft Entra ID, against the mock tenant.

mod contexts;
mod credentials;
mod faults;
mod groups;
mod login;
mod world;
