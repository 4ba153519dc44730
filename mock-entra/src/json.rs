//! Adding members to a JSON object.

use serde_json::Value;

/// Sets a member of an object; anything but an object is left as it is.
pub(crate) fn set(object: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value.into());
    }
}
