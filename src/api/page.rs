//! Lists, a page at a time.
//!
//! Clients ask for the next page until one is empty, or until `total_pages`: both must end.

use serde_json::{Value, json};

use super::error::ApiError;
use super::query::Query;

/// The parameters of every list.
pub(super) const PAGED: &[(&str, &str)] = &[("page", "the page, from 1"), ("per_page", "items a page")];
/// Those of lists that are searched by name.
pub(super) const NAMED: &[(&str, &str)] = &[
    ("page", "the page, from 1"),
    ("per_page", "items a page"),
    ("name", "the exact name"),
    ("search", "a part of the name"),
];

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// From 1.
    pub(super) number: u32,
    /// Items a page.
    pub(super) size: u32,
}

/// How many items a list gives a page, unless asked otherwise, and at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) usual: u32,
    pub(super) most: u32,
}

impl Page {
    /// Reads `page` and `per_page`.
    pub(super) fn of(query: &Query<'_>, sizes: Sizes) -> Result<Self, ApiError> {
        let number = query.number("page")?.unwrap_or(1).max(1);
        let size = query
            .number("per_page")?
            .unwrap_or(sizes.usual)
            .clamp(1, sizes.most);
        Ok(Self { number, size })
    }

    /// Items before the page.
    pub(super) fn offset(self) -> u64 {
        u64::from(self.number - 1) * u64::from(self.size)
    }

    /// `result_info` for a page that holds `count` of `total` items.
    pub(super) fn info(self, count: usize, total: u64) -> Value {
        json!({
            "page": self.number,
            "per_page": self.size,
            "count": count,
            "total_count": total,
            "total_pages": total.div_ceil(u64::from(self.size)),
        })
    }

    /// How many items there are as far as the page shows, which holds `count` of them: where it is full there is at least
    /// one more, as far as anybody knows who does not count them all.
    pub(super) fn at_least(self, count: usize) -> u64 {
        let here = u64::try_from(count).unwrap_or(u64::MAX);
        let full = here >= u64::from(self.size);
        self.offset().saturating_add(here).saturating_add(u64::from(full))
    }

    /// The page of a list that is in memory.
    pub(super) fn cut<T>(self, items: Vec<T>) -> (Vec<T>, u64) {
        let total = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let offset = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        (items.into_iter().skip(offset).take(size).collect(), total)
    }
}
