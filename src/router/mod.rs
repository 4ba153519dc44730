//! Where a request goes: the one parse of its target, and the tables that find what covers it.
//!
//! Everything that decides about a request, routes it or forwards it uses the same [`Target`], so that no two parts of
//! the gateway can read one request line differently (abuse case 16).

mod authority;
mod path;
mod pattern;
mod table;
mod target;

use crate::model::destination::Destination;

pub use table::{Entry, Found, Routed, Table};
pub use target::{Target, TargetRefused, Via};

/// Whether a destination covers a path on its host.
pub fn covers_path(destination: &Destination, path: &str) -> bool {
    destination.path().is_empty() || pattern::PathGlob::new(destination.path()).covers(path)
}
