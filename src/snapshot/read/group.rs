//! Access groups.

use serde_json::Value;

use crate::model::group::AccessGroup;
use crate::model::ids::GroupId;

use super::object::{Object, Problem, Problems};
use super::rules::{include, rules};

/// Reads an access group. Whether what it refers to exists is another question.
///
/// `is_default` is of the dashboard alone: it adds the group to new policies.
///
/// # Errors
/// Every problem found.
pub fn group(id: GroupId, body: &Value) -> Result<AccessGroup, Vec<Problem>> {
    let problems = Problems::default();
    let group = Object::new(body, "", &problems).and_then(|object| {
        let name = object.needed_text("name");
        let (include, require, exclude) = (
            include(&object, None),
            rules(&object, "require", None),
            rules(&object, "exclude", None),
        );
        Some(AccessGroup {
            id,
            name: name?.to_owned(),
            include,
            require,
            exclude,
        })
    });
    problems.or_value(group)
}
