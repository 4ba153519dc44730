//! Service tokens as they are shown: whatever was read is taken out of what goes on to an application.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use vestibule::session::service_auth::{Shown, shown, strip};

const NAMES: [&str; 4] = [
    "cf-access-client-id",
    "cf-access-client-secret",
    "authorization",
    "x-service-token",
];

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for (index, line) in lines.split(|&byte| byte == b'\n').take(8).enumerate() {
        let name = HeaderName::from_static(NAMES[index % NAMES.len()]);
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(name, line);
        }
    }
    let names = NAMES.map(HeaderName::from_static);
    let mut stripped = headers.clone();
    strip(&mut stripped, &names);
    for single in ["Authorization", "X-Service-Token"] {
        let single = single.parse().expect("the name of a header");
        let _ = shown(&headers, Some(&single));
        assert!(!matches!(shown(&stripped, Some(&single)), Shown::Pair(_)));
    }
});
