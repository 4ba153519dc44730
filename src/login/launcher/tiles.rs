//! What of the applications is shown: all, or those that a search or a tag names.

use std::collections::BTreeMap;

use url::form_urlencoded;

use super::openable::Openable;
use crate::login::call::Call;
use crate::pages::person::{TagLink, Tile};

/// The parameter of a search.
pub(super) const SEARCH: &str = "q";
/// The parameter of a tag.
const TAG: &str = "tag";
/// Applications shown at once; more are found by searching.
const MOST: usize = 240;
/// Tags shown, the most used first.
const MOST_TAGS: usize = 24;
/// A longer search finds nothing that a shorter one would not.
const LONGEST_SEARCH: usize = 100;

/// What the person wants to see.
pub(super) struct Wanted {
    search: String,
    tag: Option<String>,
}

impl Wanted {
    pub(super) fn of(call: &Call<'_>) -> Self {
        let search = call.query.value(SEARCH).unwrap_or_default();
        Self {
            search: search
                .trim()
                .chars()
                .take(LONGEST_SEARCH)
                .collect::<String>()
                .to_lowercase(),
            tag: call.query.value(TAG).map(str::to_owned),
        }
    }

    fn wants(&self, one: &Openable) -> bool {
        let named = |text: &str| text.to_lowercase().contains(&self.search);
        let found = self.search.is_empty()
            || named(&one.name)
            || named(&one.place)
            || one.tags.iter().any(|tag| named(tag));
        let tagged = self.tag.as_ref().is_none_or(|tag| one.tags.contains(tag));
        found && tagged
    }
}

/// What is shown.
pub(super) struct Shown {
    pub(super) tiles: Vec<Tile>,
    /// How many more would be.
    pub(super) left_out: usize,
    pub(super) tags: Vec<TagLink>,
}

pub(super) fn of(openable: &[Openable], wanted: &Wanted) -> Shown {
    let found: Vec<&Openable> = openable.iter().filter(|one| wanted.wants(one)).collect();
    Shown {
        tiles: found.iter().take(MOST).map(|one| tile(one)).collect(),
        left_out: found.len().saturating_sub(MOST),
        tags: tags(openable, wanted),
    }
}

fn tile(one: &Openable) -> Tile {
    Tile {
        name: one.name.clone(),
        place: one.place.clone(),
        href: one.href.clone(),
        logo: one.logo.as_ref().map(ToString::to_string),
        logo_origin: one.logo.as_ref().map(|logo| logo.origin().ascii_serialization()),
    }
}

fn tags(openable: &[Openable], wanted: &Wanted) -> Vec<TagLink> {
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for tag in openable.iter().flat_map(|one| &one.tags) {
        *counted.entry(tag).or_default() += 1;
    }
    let mut counted: Vec<(&str, usize)> = counted.into_iter().collect();
    counted.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let links = counted.into_iter().take(MOST_TAGS).map(|(tag, count)| {
        let chosen = wanted.tag.as_deref() == Some(tag);
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair(TAG, tag)
            .finish();
        TagLink {
            name: tag.to_owned(),
            count,
            chosen,
            href: if chosen {
                super::HOME.to_owned()
            } else {
                format!("/?{query}")
            },
        }
    });
    links.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, tags: &[&str]) -> Openable {
        Openable {
            name: name.to_owned(),
            place: format!("{}.example.com", name.to_lowercase()),
            href: None,
            logo: None,
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        }
    }

    fn names(search: &str, tag: Option<&str>) -> Vec<String> {
        let openable = [
            one("Wiki", &["office"]),
            one("Grafana", &["engineering"]),
            one("Jira", &["office", "engineering"]),
        ];
        let wanted = Wanted {
            search: search.to_owned(),
            tag: tag.map(str::to_owned),
        };
        of(&openable, &wanted)
            .tiles
            .into_iter()
            .map(|tile| tile.name)
            .collect()
    }

    #[test]
    fn a_search_finds_names_addresses_and_tags() {
        assert_eq!(names("", None).len(), 3);
        assert_eq!(names("graf", None), ["Grafana"]);
        assert_eq!(names("wiki.example", None), ["Wiki"]);
        assert_eq!(names("engineering", None), ["Grafana", "Jira"]);
        assert_eq!(names("office", Some("engineering")), ["Jira"]);
        assert!(names("nothing", None).is_empty());
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let many: Vec<Openable> = (0..MOST + 3)
            .map(|number| one(&number.to_string(), &[]))
            .collect();
        let all = Wanted {
            search: String::new(),
            tag: None,
        };
        let shown = of(&many, &all);
        assert_eq!((shown.tiles.len(), shown.left_out), (MOST, 3));
    }
}
