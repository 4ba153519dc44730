//! What an application's policies may ask about a request, so that it need not be found out for others.

use std::sync::Arc;

use crate::model::policy::{Policy, Selector};

/// Facts that are worth finding out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asks {
    /// The country it comes from.
    pub country: bool,
    /// The certificate of its client.
    pub certificate: bool,
}

impl Asks {
    /// Whatever there is to know.
    pub const EVERYTHING: Self = Self {
        country: true,
        certificate: true,
    };

    /// What these policies may ask. An access group may ask for anything: what is in it changes without them.
    pub(super) fn of(policies: &[Arc<Policy>]) -> Self {
        let rules = policies
            .iter()
            .flat_map(|policy| [&policy.include, &policy.require, &policy.exclude])
            .flatten();
        let mut asks = Self {
            country: false,
            certificate: false,
        };
        for rule in rules {
            match rule {
                Selector::Geo { .. } => asks.country = true,
                Selector::Certificate | Selector::CommonName { .. } => asks.certificate = true,
                Selector::Group { .. } => return Self::EVERYTHING,
                _ => {}
            }
        }
        asks
    }
}
