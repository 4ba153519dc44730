use http::{HeaderMap, Method};
use proptest::prelude::*;

use crate::router::Via;

use super::*;

fn table(entries: &[(&str, &'static str)]) -> Table<&'static str> {
    Table::build(
        entries
            .iter()
            .map(|(destination, value)| entry(destination, value)),
    )
}

fn entry(destination: &str, value: &'static str) -> Entry<&'static str> {
    Entry {
        destinations: vec![destination.parse().unwrap()],
        case_insensitive: false,
        value,
    }
}

fn find(table: &Table<&'static str>, address: &str) -> &'static str {
    let (host, path) = address.split_once('/').unwrap();
    match table.find(&host.parse().unwrap(), &format!("/{path}")) {
        Found::Match(value) => value,
        Found::HostOnly => "host only",
        Found::None => "none",
    }
}

fn target(address: &str) -> Target {
    let (host, path) = address.split_once('/').unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    Target::parse(
        &Method::GET,
        &format!("/{path}").parse().unwrap(),
        &headers,
        Via::Http1,
    )
    .unwrap()
}

/// Access: application paths. Abuse cases 13 and 14.
#[test]
fn the_most_specific_host_and_path_wins() {
    let table = table(&[
        ("app.example.com", "app"),
        ("app.example.com/public", "public"),
        ("app.example.com/public/deep/er", "deeper"),
        ("app.example.com/alpha/*", "below alpha"),
        ("app.example.com/foo*/bar", "foo bar"),
        ("paths.example.com/only", "only"),
        ("*.example.com", "any"),
        ("*test.example.com", "tests"),
        ("*.example.com/wild", "wild"),
    ]);
    for (address, found) in [
        ("app.example.com/", "app"),
        ("app.example.com/public", "public"),
        ("app.example.com/public/", "public"),
        ("app.example.com/public/x/y", "public"),
        ("app.example.com/public/deep", "public"),
        ("app.example.com/public/deep/er/x", "deeper"),
        ("app.example.com/publicity", "app"),
        ("app.example.com/public.admin", "app"),
        ("app.example.com/Public", "app"),
        ("app.example.com/alpha", "app"),
        ("app.example.com/alpha/one", "below alpha"),
        ("app.example.com/foo1/x/bar", "foo bar"),
        ("paths.example.com/only/x", "only"),
        ("paths.example.com/other", "any"),
        ("paths.example.com/wild", "wild"),
        ("mytest.example.com/", "tests"),
        ("test.example.com/x", "tests"),
        ("tester.example.com/", "any"),
        ("a.b.example.com/", "none"),
        ("example.com/", "none"),
        ("www.other.com/", "none"),
        ("localhost/", "none"),
    ] {
        assert_eq!(find(&table, address), found, "{address}");
    }
}

#[test]
fn a_known_host_without_a_covering_path_is_told_from_an_unknown_one() {
    let table = table(&[("app.example.com/docs", "docs"), ("*.wild.com/docs", "docs")]);
    assert_eq!(find(&table, "app.example.com/"), "host only");
    assert_eq!(find(&table, "a.wild.com/x"), "host only");
    assert_eq!(find(&table, "a.example.com/docs"), "none");
}

#[test]
fn a_host_that_reads_paths_without_case_is_matched_so() {
    let mut strict = entry("app.example.com/Admin", "admin");
    strict.case_insensitive = true;
    let table = Table::build([
        entry("app.example.com", "app"),
        strict,
        entry("b.example.com/x", "x"),
    ]);
    for (address, found) in [
        ("app.example.com/ADMIN/x", "admin"),
        ("app.example.com/admin", "admin"),
        ("app.example.com/other", "app"),
        ("b.example.com/X", "host only"),
    ] {
        assert_eq!(find(&table, address), found, "{address}");
    }
}

#[test]
fn a_long_path_with_characters_of_several_bytes_finds_its_prefix() {
    let table = table(&[("app.example.com/a", "a"), ("app.example.com", "app")]);
    assert_eq!(find(&table, "app.example.com/a/üüü/ü"), "a");
    assert_eq!(
        find(&table, &format!("app.example.com/a{}", "/ü".repeat(2000))),
        "a"
    );
    assert_eq!(find(&table, "app.example.com/ü"), "app");
}

/// Abuse cases 1 and 6.
#[test]
fn two_readings_must_lead_to_the_same_entry() {
    let table = table(&[("app.example.com", "app"), ("app.example.com/admin", "admin")]);
    for (address, routed) in [
        ("app.example.com/admin%2fx", Routed::Ambiguous),
        ("app.example.com/admin%5cx", Routed::Ambiguous),
        ("app.example.com/admin;x=1", Routed::Ambiguous),
        ("app.example.com/wiki;x=1", Routed::Match(&"app")),
        ("app.example.com/a%2fb", Routed::Match(&"app")),
        ("app.example.com/admin/a%2fb", Routed::Match(&"admin")),
    ] {
        assert_eq!(table.route(&target(address)), routed, "{address}");
    }
}

#[test]
fn the_first_entry_keeps_an_address() {
    let table = table(&[("app.example.com/a", "first"), ("app.example.com/a", "second")]);
    assert_eq!(find(&table, "app.example.com/a"), "first");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Abuse case 16: the entry that authorises a request is the one that the forwarded bytes lead to.
    #[test]
    fn what_is_decided_is_what_is_forwarded(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "/", "..", ".", "%2e", "%2f", "%5c", ";", "%3b", "admin", "public", "%61dmin", "a", "%25", "//",
        ]), 0..10),
    ) {
        let table = table(&[
            ("app.example.com", "app"),
            ("app.example.com/admin", "admin"),
            ("app.example.com/public", "public"),
            ("app.example.com/a*/admin", "glob"),
        ]);
        let uri: Result<http::Uri, _> = format!("/{}", pieces.concat()).parse();
        let mut headers = HeaderMap::new();
        headers.insert("host", "app.example.com".parse().unwrap());
        if let Ok(uri) = uri && let Ok(target) = Target::parse(&Method::GET, &uri, &headers, Via::Http1) {
            let forwarded = self::target(&format!("app.example.com{}", target.forward()));
            prop_assert_eq!(table.route(&target), table.route(&forwarded));
            if let Routed::Match(routed) = table.route(&target) {
                prop_assert_eq!(table.find(target.host(), target.path()), Found::Match(routed));
            }
        }
    }

    /// The table finds what a reading of every pattern one by one finds.
    #[test]
    fn the_table_agrees_with_trying_every_pattern(
        patterns in prop::collection::vec("(app|b|\\*|\\*b)\\.example\\.com(/(a|b|a\\*|\\*|ab)){0,3}", 1..8),
        host in "(app|b|ab|c)", path in "(/(a|b|ab|abc)){0,4}/?",
    ) {
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let destinations: Vec<Destination> = patterns.iter().map(|p| p.parse().unwrap()).collect();
        let table = Table::build(destinations.iter().enumerate().map(|(index, destination)| Entry {
            destinations: vec![destination.clone()], case_insensitive: false, value: index,
        }));
        let host: Host = format!("{host}.example.com").parse().unwrap();
        // Exact host first, then the longer host pattern, then the longer path without wildcards counted.
        let covers = |d: &Destination| {
            let label = d.host().split_once('.').unwrap().0;
            let own = host.as_str().split_once('.').unwrap().0;
            let host_fits = match label.split_once('*') {
                None => label == own,
                Some((before, after)) => own.len() >= before.len() + after.len() && own.starts_with(before) && own.ends_with(after),
            };
            host_fits && path_fits(d.path(), &path)
        };
        let rank = |d: &Destination| (
            d.is_exact_host(), d.host().len(), d.path().replace('*', "").len(), !d.path().contains('*'),
        );
        let best = destinations.iter().filter(|d| covers(d)).map(rank).max();
        let found = match table.find(&host, &path) {
            Found::Match(&index) => Some(rank(&destinations[index])),
            _ => None,
        };
        prop_assert_eq!(found, best);
    }
}

/// A slow, obvious reading of a path pattern.
fn path_fits(pattern: &str, path: &str) -> bool {
    fn glob(pattern: &str, path: &str) -> bool {
        match pattern.split_at_checked(1) {
            None => path.is_empty() || path.starts_with('/'),
            Some(("*", rest)) => (0..=path.len()).any(|taken| glob(rest, &path[taken..])),
            Some((given, rest)) => path.strip_prefix(given).is_some_and(|path| glob(rest, path)),
        }
    }
    pattern.is_empty() || glob(pattern, path)
}
