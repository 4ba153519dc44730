//! Filters of SCIM: what is read is written and read again as the same, and can be asked of a resource.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use vestibule::scim::filter::{Filter, Work};

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::parse(text) else { return };
    let user = json!({
        "userName": "alice", "active": true, "meta": { "created": "2026-01-01T00:00:00Z" },
        "emails": [{ "type": "work", "value": "alice@corp.example", "primary": true }, "bare"]
    });
    filter.matches(user.as_object().expect("an object"), &mut Work::of(1024 * 1024));
    let written = filter.to_string();
    // What is written may be longer: parentheses and escapes are added.
    if written.len() <= vestibule::scim::filter::LONGEST
        && let Ok(again) = Filter::parse(&written)
    {
        assert_eq!(again, filter);
    }
});
