//! The path a login returns to: behind an application's origin it names no other host, however it is written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use url::Url;
use vestibule::login::return_path::ReturnPath;

fuzz_target!(|text: &str| {
    let Ok(path) = ReturnPath::parse(text) else {
        return;
    };
    let origin: Url = "https://wiki.example.com".parse().expect("an origin");
    // As the header `Location` is read, whole and relative.
    let whole: Url = format!("https://wiki.example.com{path}")
        .parse()
        .expect("an address");
    let relative = origin.join(path.as_str()).expect("an address");
    assert_eq!(whole.origin(), origin.origin());
    assert_eq!(relative.origin(), origin.origin());
    assert_eq!(whole.fragment(), None);
    assert_eq!(ReturnPath::parse(path.as_str()).expect("it is read again"), path);
});
