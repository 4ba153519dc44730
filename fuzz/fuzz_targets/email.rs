//! E-mail addresses: what is read is read again as the same, and has no second reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::model::email::EmailAddress;

fuzz_target!(|text: &str| {
    if let Ok(address) = text.parse::<EmailAddress>() {
        let written = address.as_str();
        assert_eq!(written.parse::<EmailAddress>().as_ref(), Ok(&address));
        assert_eq!(written.matches('@').count(), 1);
        assert!(!written.chars().any(|c| c.is_control() || c.is_whitespace()));
    }
});
