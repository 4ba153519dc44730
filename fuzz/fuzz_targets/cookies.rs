//! The reader of `Cookie` lines: names match byte for byte, and work is bounded.

#![no_main]

use http::{HeaderMap, HeaderValue, header::COOKIE};
use libfuzzer_sys::fuzz_target;
use vestibule::session::cookies;

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').take(32) {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(COOKIE, line);
        }
    }
    for value in cookies::values(&headers, cookies::AUTHORIZATION) {
        assert!(!value.contains(';'), "{value}");
        let written = [cookies::AUTHORIZATION.as_bytes(), b"=", value.as_bytes()].concat();
        let there = lines.windows(written.len()).any(|window| window == written);
        assert!(there, "{value} was not sent under this name");
    }
});
