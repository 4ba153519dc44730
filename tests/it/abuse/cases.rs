//! What `cases.toml` says, and that it says something about every case.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

/// How many cases there are.
const CASES: u16 = 96;

/// The cases that block a release.
const RELEASE_BLOCKING: &[u16] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 16, 18, 20, 21, 22, 23, 24, 25, 26, 29, 31, 32, 33, 35, 36, 37, 38,
    40, 44, 46, 49, 50, 51, 53, 55, 57, 58, 60, 62, 65, 67, 68, 69, 72, 73, 74, 75, 80, 81, 82, 83, 85, 88,
    89, 95,
];

/// Those among them that need what this version does not have.
const LATER: &[(u16, &str)] = &[(82, "the use of refresh tokens"), (95, "set-up over the network")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cases {
    pub(crate) case: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) number: u16,
    pub(crate) title: String,
    status: Status,
    #[serde(default)]
    by: Vec<String>,
    reason: Option<String>,
    #[serde(default)]
    pub(crate) request: Vec<Request>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Covered,
    NotYet,
    DoesNotApply,
}

/// One bare request; the head of `cases.toml` explains the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) send: Option<String>,
    pub(crate) raw: Option<String>,
    pub(crate) host: Option<String>,
    #[serde(default)]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) cookie: bool,
    pub(crate) expect: Expect,
    #[serde(default)]
    pub(crate) hits: usize,
    #[serde(default)]
    pub(crate) hits_any: bool,
    #[serde(default)]
    pub(crate) closes: bool,
    pub(crate) target: Option<String>,
    #[serde(default)]
    pub(crate) absent: Vec<String>,
    #[serde(default)]
    pub(crate) once: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expect {
    Statuses(Vec<u16>),
    Word(String),
}

pub(crate) fn read() -> Cases {
    toml::from_str(include_str!("cases.toml")).unwrap()
}

#[test]
fn every_case_is_listed_once_and_in_order() {
    let numbers: Vec<u16> = read().case.iter().map(|case| case.number).collect();
    assert_eq!(numbers, (1..=CASES).collect::<Vec<_>>());
}

#[test]
fn what_is_covered_is_shown_and_what_is_not_has_a_reason() {
    for case in read().case {
        let name = format!("{} {}", case.number, case.title);
        if case.status == Status::Covered {
            assert!(
                !case.by.is_empty() || !case.request.is_empty(),
                "{name}: covered by nothing"
            );
        } else {
            assert!(
                case.reason.is_some_and(|reason| reason.len() > 20),
                "{name}: no reason"
            );
        }
    }
}

#[test]
fn nothing_that_blocks_a_release_waits_without_need() {
    for case in read().case {
        let waits = case.status == Status::NotYet && RELEASE_BLOCKING.contains(&case.number);
        let needs = LATER.iter().find(|(number, _)| *number == case.number);
        assert!(
            !waits || needs.is_some(),
            "{} {} blocks a release",
            case.number,
            case.title
        );
        assert!(
            needs.is_none() || case.status == Status::NotYet,
            "{} no longer waits for {needs:?}",
            case.number
        );
    }
}

#[test]
fn every_test_that_a_case_names_is_there() {
    let mut there = BTreeSet::new();
    for folder in ["src", "tests/it"] {
        gather(Path::new(folder), &mut there);
    }
    for case in read().case {
        for name in &case.by {
            assert!(
                there.contains(name),
                "{} {}: there is no test {name}",
                case.number,
                case.title
            );
        }
    }
}

/// The names of all tests below a folder.
fn gather(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Attributes, then the function; the macros for both databases take functions without one.
            let functions = text.lines().filter_map(|line| {
                let line = line.trim_start().trim_start_matches("async ");
                let name = line.strip_prefix("fn ")?.split(['(', '<']).next()?;
                Some(name.to_owned())
            });
            names.extend(functions);
        }
    }
}
