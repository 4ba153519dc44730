//! The public key of a transfer: one spelling of bytes, with or without padding, and a box that its owner alone opens.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::crypto::transfer::{Boxed, TransferKey, TransferPair};

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<TransferKey>() {
        let written = key.to_string();
        assert_eq!(written.trim_end_matches('='), text.trim_end_matches('='));
        assert_eq!(written.parse(), Ok(key.clone()));
        assert_eq!(key.code().len(), 9);
        assert!(key.seal(b"tokens").is_some());
    }
    let service_key = "A".repeat(43).parse().unwrap();
    let body = text.as_bytes().to_vec();
    assert!(
        TransferPair::generate()
            .open(&Boxed { body, service_key })
            .is_none()
    );
});
