//! The rules of the house: dependencies between modules point one way (see `CONTRIBUTING.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every module of the library with the floor it stands on. A module uses what stands on lower floors only.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("clock", 0),
    ("crypto", 0),
    ("shutdown", 0),
    ("config", 1),
    ("telemetry", 1),
    ("geo", 2),
    ("store", 2),
    ("policy", 3),
    ("router", 3),
    ("entra", 3),
    ("mail", 3),
    ("evaluation", 4),
    ("snapshot", 4),
    ("session", 5),
    ("proxy", 5),
    ("feed", 6),
    ("manage", 6),
    ("pages", 7),
    ("api", 8),
    ("login", 8),
    ("scim", 8),
    ("directory", 8),
    ("gate", 9),
    ("listener", 10),
    ("app", 11),
    ("cli", 12),
];

/// Modules that are held to less than their floor would allow.
const NARROWER: &[(&str, &[&str])] = &[
    ("policy", &["model"]),
    ("router", &["model"]),
    ("entra", &["model", "config", "crypto", "clock"]),
    ("evaluation", &["model", "crypto", "clock", "entra"]),
    ("pages", &["model", "crypto"]),
];

#[test]
fn dependencies_between_modules_point_one_way() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let mut faults = Vec::new();
    for file in rust_files(Path::new("src")) {
        let module = module_of(&file);
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(&floor) = floors.get(module.as_str()) else {
            faults.push(format!("{}: module `{module}` has no floor", file.display()));
            continue;
        };
        for used in used_modules(&file) {
            if used == module {
                continue;
            }
            let below = floors.get(used.as_str()).is_some_and(|&other| other < floor);
            let narrower = NARROWER.iter().find(|(name, _)| *name == module);
            let allowed = narrower.is_none_or(|(_, only)| only.contains(&used.as_str()));
            if !below || !allowed {
                faults.push(format!("{}: `{module}` must not use `{used}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_of_rooms_is_the_one_that_is_held_to() {
    let text = std::fs::read_to_string("CONTRIBUTING.md").unwrap();
    for (module, floor) in FLOORS {
        let row = format!("| {floor} |");
        let line = text.lines().find(|line| line.starts_with(&row));
        let there = line.is_some_and(|line| line.contains(&format!("`{module}`")));
        assert!(there, "CONTRIBUTING.md does not have `{module}` on floor {floor}");
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn module_of(file: &Path) -> String {
    let first = file.strip_prefix("src").unwrap().components().next().unwrap();
    first
        .as_os_str()
        .to_str()
        .unwrap()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The modules named behind `crate::` in a file, its tests left out: tests may build on anything.
fn used_modules(file: &Path) -> BTreeSet<String> {
    if file.file_stem().is_some_and(|stem| stem == "tests") {
        return BTreeSet::new();
    }
    let text = std::fs::read_to_string(file).unwrap();
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let code = product
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let mut used = BTreeSet::new();
    for line in code {
        for rest in line.split("crate::").skip(1) {
            let names = rest.strip_prefix('{').map_or(rest, |group| group);
            let name: String = names
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() {
                used.insert(name);
            }
        }
    }
    used
}
