//! The target parser: what is decided is what is forwarded, however the request line was written.
//!
//! Input: the host on the first line, the request target on the second.

#![no_main]

use http::{HeaderMap, HeaderValue, Method, Uri};
use libfuzzer_sys::fuzz_target;
use vestibule::router::{Target, Via};

fuzz_target!(|input: &str| {
    let Some((host, target)) = input.split_once('\n') else {
        return;
    };
    let (Ok(host), Ok(uri)) = (HeaderValue::from_str(host), target.parse::<Uri>()) else {
        return;
    };
    let headers: HeaderMap = [(http::header::HOST, host)].into_iter().collect();
    let Ok(read) = Target::parse(&Method::GET, &uri, &headers, Via::Http1) else {
        return;
    };
    let forwarded: Uri = read
        .forward()
        .as_str()
        .parse()
        .expect("what is forwarded is a target");
    let again = Target::parse(&Method::GET, &forwarded, &headers, Via::Http1).expect("it is read again");
    assert_eq!(again.path(), read.path());
    assert_eq!(again.second_path(), read.second_path());
    assert_eq!(again.forward(), read.forward());
    for path in [Some(read.path()), read.second_path(), Some(read.forward().path())]
        .into_iter()
        .flatten()
    {
        assert!(path.starts_with('/') && !path.contains("//"), "{path}");
        assert!(
            !path.split('/').any(|segment| segment == "." || segment == ".."),
            "{path}"
        );
        assert!(!path.chars().any(char::is_control), "{path:?}");
    }
});
