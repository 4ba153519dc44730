//! The client's address: nobody but a trusted proxy has a say in it, and what that one vouches for is read or is not.

#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use vestibule::listener::client_ip::client;

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').take(32) {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", line);
        }
    }
    let trusted = ["10.0.0.0/8".parse().expect("a network")];
    let stranger: IpAddr = "192.0.2.7".parse().expect("an address");
    assert_eq!(client(stranger, true, &headers, &trusted).address, stranger);
    let proxy: IpAddr = "10.0.0.1".parse().expect("an address");
    let seen = client(proxy, true, &headers, &trusted);
    assert!(seen.through_trusted_proxy);
    assert!(!seen.unreadable || seen.address == proxy);
    assert_eq!(seen.address, seen.address.to_canonical());
});
