//! What a browser brings back from Microsoft: parameters are there once, and an error of any text is told as one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::entra::errors::read_callback_error;
use vestibule::login::query::Query;

fuzz_target!(|raw: &str| {
    if let Ok(query) = Query::parse(Some(raw)) {
        for name in ["state", "code", "error"] {
            assert!(query.value(name).is_none_or(|value| !value.is_empty()));
        }
    }
    if let Some(error) = read_callback_error(raw) {
        assert!(!error.explain().title.is_empty());
        assert!(!error.to_string().chars().any(char::is_control));
    }
});
