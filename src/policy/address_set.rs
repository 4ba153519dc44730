//! Many address ranges as one sorted list, searched in logarithmic time.

use std::net::IpAddr;

use crate::model::address::AddressRange;

/// A set of addresses.
#[derive(Debug, Clone, Default)]
pub(super) struct AddressSet {
    /// First and last address of each range, ascending, without overlap. IPv4 stands apart from IPv6 by its first
    /// component.
    ranges: Vec<(Place, Place)>,
}

/// Whether IPv6, and the address as a number.
type Place = (bool, u128);

impl AddressSet {
    pub(super) fn union_of(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let mut sorted: Vec<_> = ranges
            .into_iter()
            .map(|range| (place(range.first()), place(range.last())))
            .collect();
        sorted.sort_unstable();
        let mut merged: Vec<(Place, Place)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                Some((_, end)) if first <= *end => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self { ranges: merged }
    }

    /// The addresses that lie in every one of the ranges; none where there are no ranges.
    pub(super) fn common_to(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let places = ranges
            .into_iter()
            .map(|range| (place(range.first()), place(range.last())));
        let common = places.reduce(|one, other| (one.0.max(other.0), one.1.min(other.1)));
        Self {
            ranges: common.into_iter().filter(|(first, last)| first <= last).collect(),
        }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let wanted = place(address);
        let next = self.ranges.partition_point(|&(first, _)| first <= wanted);
        let candidate = next.checked_sub(1).and_then(|index| self.ranges.get(index));
        candidate.is_some_and(|&(_, last)| wanted <= last)
    }
}

fn place(address: IpAddr) -> Place {
    match address.to_canonical() {
        IpAddr::V4(v4) => (false, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (true, v6.to_bits()),
    }
}
