//! PATCH paths and bodies: a path that is read is written and read again as the same; whatever operations do to a user,
//! what comes out can be kept, and reads as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use vestibule::scim::patch::Patch;
use vestibule::scim::path::PatchPath;
use vestibule::scim::resource;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(path) = text.parse::<PatchPath>()
        && let Ok(again) = path.to_string().parse::<PatchPath>()
    {
        assert_eq!(again, path);
    }
    let Ok(body) = serde_json::from_slice::<Value>(data) else { return };
    let Ok(patch) = Patch::parse(&body) else { return };
    let before = resource::user(&json!({ "userName": "alice", "active": true }), None).expect("a user");
    if let Ok(after) = patch.apply_to_user(&before) {
        let again = resource::user(&Value::Object(after.0.clone()), None).expect("it can be kept");
        assert_eq!(again, after);
    }
});
