//! Index paging (RFC 7644 §3.4.2.4).

use super::call::Query;
use super::error::ScimError;

/// Most resources on a page, and how many where nothing is said.
pub(super) const MOST: usize = 200;
const USUAL: usize = 100;

/// Which part of the resources is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    /// The first one, from 1.
    pub(super) start: usize,
    /// How many.
    pub(super) count: usize,
}

impl Page {
    /// Reads `startIndex` and `count`: less than 1 is 1, less than 0 is 0.
    pub(super) fn parse(query: &Query) -> Result<Self, ScimError> {
        let number = |name: &str, text: &Option<String>| {
            let read = text.as_deref().map(|text| text.trim().parse::<i64>());
            read.transpose()
                .map_err(|_| ScimError::Value(format!("{name} is a whole number")))
        };
        let start = number("startIndex", &query.start_index)?.unwrap_or(1).max(1);
        let count = number("count", &query.count)?.map(|count| count.max(0));
        let index = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self {
            start: index(start),
            count: count.map_or(USUAL, index).min(MOST),
        })
    }

    /// How many stand before it.
    pub(super) fn offset(self) -> usize {
        self.start - 1
    }

    /// Whether the resource with this number, from 0, is on it.
    pub(super) fn holds(self, index: usize) -> bool {
        index >= self.offset() && index - self.offset() < self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_as_the_standard_says() {
        let page = |start: Option<&str>, count: Option<&str>| {
            let query = Query {
                start_index: start.map(str::to_owned),
                count: count.map(str::to_owned),
                ..Query::default()
            };
            Page::parse(&query).ok().map(|page| (page.start, page.count))
        };
        assert_eq!(page(None, None), Some((1, USUAL)));
        assert_eq!(page(Some("0"), Some("5")), Some((1, 5)));
        assert_eq!(page(Some("-3"), Some("-1")), Some((1, 0)));
        assert_eq!(page(Some("6"), Some("999999")), Some((6, MOST)));
        assert_eq!(page(Some("x"), None), None);
        assert_eq!(page(Some("99999999999999999999"), None), None);
        let page = Page { start: 6, count: 2 };
        let held: Vec<usize> = (0..10).filter(|index| page.holds(*index)).collect();
        assert_eq!(held, [5, 6]);
    }
}
