//! Durations with a least and a most.

use std::time::Duration;

use super::tree::Node;
use crate::model::duration::GoDuration;

/// What a duration may be.
pub(super) struct Bounds {
    pub(super) least: Duration,
    pub(super) most: Duration,
    /// The same for people.
    pub(super) said: &'static str,
}

impl Bounds {
    /// A duration within these bounds.
    pub(super) fn parse(&self, node: &Node<'_>) -> Option<GoDuration> {
        let mend = format!("write a duration of {}, such as 30m or 24h", self.said);
        let duration: GoDuration = node.parsed(&mend)?;
        let within = (self.least..=self.most).contains(&duration.length());
        if !within {
            node.fault(format!("{duration} is outside {}", self.said), mend);
        }
        within.then_some(duration)
    }
}
