//! The configuration loader: any text is a configuration or a list of faults.

#![no_main]

use std::io;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vestibule::config::{Surroundings, load_text};

fuzz_target!(|text: &str| {
    let surroundings = Surroundings {
        env: &|name| (name != "UNSET").then(|| "0123456789abcdef0123456789abcdef".repeat(2)),
        read: &|_| Err(io::Error::new(io::ErrorKind::NotFound, "there are no files here")),
    };
    if let Err(faults) = load_text(Path::new("vestibule.toml"), text, surroundings) {
        assert!(!faults.to_string().is_empty());
    }
});
