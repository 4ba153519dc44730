//! Durations: what is read comes back as it was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vestibule::model::duration::GoDuration;

fuzz_target!(|text: &str| {
    if let Ok(duration) = text.parse::<GoDuration>() {
        assert_eq!(duration.as_str(), text);
        assert_eq!(text.parse::<GoDuration>().expect("it is read again"), duration);
    }
});
