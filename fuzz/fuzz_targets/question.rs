//! What another proxy asks (forward-auth): a question is about one host and one path in origin form, or is none.
//!
//! Input: the endpoint on the first line, then header fields as `name: value`.

#![no_main]

use http::{HeaderName, HeaderValue, Request, Uri, header::HOST};
use libfuzzer_sys::fuzz_target;
use vestibule::gate::question::Dialect;

fuzz_target!(|input: &str| {
    let mut lines = input.split('\n');
    let Some(Ok(endpoint)) = lines.next().map(str::parse::<Uri>) else {
        return;
    };
    let Some(dialect) = Dialect::of(&endpoint) else {
        return;
    };
    let mut request = Request::get(endpoint).body(()).expect("a request");
    for line in lines.take(32) {
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            request.headers_mut().append(name, value);
        }
    }
    let (head, ()) = request.into_parts();
    let Ok(question) = dialect.read(head) else {
        return;
    };
    assert_eq!(question.headers.get_all(HOST).iter().count(), 1);
    assert!(question.uri.path().starts_with('/'));
    assert!(question.uri.authority().is_none() && question.uri.scheme().is_none());
});
