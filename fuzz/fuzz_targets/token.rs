//! The check of tokens up to the signature: bytes of strangers are refused, never accepted, and stop nothing.

#![no_main]

use std::sync::OnceLock;

use jsonwebtoken::DecodingKey;
use libfuzzer_sys::fuzz_target;
use vestibule::model::ids::{AudTag, KeyId};
use vestibule::session::token::{self, Demand, Kind, TrustedKeys};

struct OneKey {
    header: String,
    kid: KeyId,
    key: DecodingKey,
}

impl TrustedKeys for OneKey {
    fn key_of_header(&self, segment: &str) -> Option<(&KeyId, &DecodingKey)> {
        (segment == self.header).then_some((&self.kid, &self.key))
    }
}

fn keys() -> &'static OneKey {
    static KEYS: OnceLock<OneKey> = OnceLock::new();
    KEYS.get_or_init(|| {
        let kid: KeyId = "0".repeat(64).parse().expect("a key id");
        OneKey {
            header: token::header_segment(&kid),
            kid,
            key: DecodingKey::from_rsa_components(&format!("{}w", "_".repeat(341)), "AQAB").expect("a key"),
        }
    })
}

fuzz_target!(|input: &str| {
    let aud: AudTag = "a".repeat(64).parse().expect("an audience");
    let demand = Demand {
        kind: Kind::App,
        aud: &aud,
        issuer: "https://login.example.com",
        now: 1_767_226_200,
    };
    assert!(token::verify(input, keys(), demand).is_err());
    // Behind the right header more of the code is reached.
    let behind_our_header = format!("{}.{input}", keys().header);
    assert!(token::verify(&behind_our_header, keys(), demand).is_err());
});
