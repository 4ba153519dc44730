//! Client certificates and the files that name their authorities: any bytes are read or are none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::crypto::x509::{Certificate, authorities};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Certificate::read(bytes) {
        let name = read.common_name.unwrap_or_default();
        assert!(
            name.chars().count() <= 64 && !name.chars().any(char::is_control),
            "{name:?}"
        );
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(found) = authorities(text)
    {
        assert!(!found.is_empty() && found.len() <= 32);
    }
});
