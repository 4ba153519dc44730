//! Groups as they are answered with their members: all of them or, where that is too much, none and a word why. Part of
//! a list would read as the whole of it, and no list as that of an empty group.

use serde_json::{Map, Value};
use tokio::sync::SemaphorePermit;

use super::call::Call;
use super::error::ScimError;
use super::list;
use super::resource::{Wanted, shown_group, shown_member};
use super::schema::{MEMBERS, Unfinished};
use crate::store::ScimGroup;

/// The longest answer, in bytes: some 200,000 members.
pub const LONGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How much of it groups with their members take. What stands around them is far shorter.
const LONGEST: usize = LONGEST_ANSWER / 4 * 3;
/// Members read at once. An answer with a group of so many is one of those that take long.
const AT_ONCE: usize = 1000;

/// What an answer has room for.
#[derive(Default)]
pub(super) struct Room<'c> {
    taken: usize,
    place: Option<SemaphorePermit<'c>>,
}

impl<'c> Room<'c> {
    /// A group as it is answered, members included where they are wanted; `None` where there is no room for them.
    pub(super) async fn take(
        &mut self,
        call: &Call<'c>,
        group: &ScimGroup,
        wanted: &Wanted,
    ) -> Result<Option<String>, ScimError> {
        let head = Value::Object(wanted.apply(shown_group(group, &call.base)));
        if !wanted.wants(MEMBERS) {
            return Ok(Some(head.to_string()));
        }
        let mut text = Unfinished::list(&head, MEMBERS);
        let mut last = None;
        loop {
            let members = call.scim.store.scim_members(group.id, last, AT_ONCE).await;
            let members = members.map_err(|error| call.failed(error))?;
            let shown = members
                .iter()
                .map(|(id, name)| shown_member(*id, name, &call.base));
            let shown = Map::from_iter([(MEMBERS.to_owned(), shown.collect())]);
            if let Some(Value::Array(shown)) = wanted.apply(shown).get(MEMBERS) {
                for member in shown {
                    text.push(member);
                }
            }
            if self.taken + text.len() > LONGEST {
                return Ok(None);
            }
            if members.len() < AT_ONCE {
                self.taken += text.len();
                return Ok(Some(text.finish()));
            }
            last = members.last().map(|(id, _)| *id);
            if self.place.is_none() {
                self.place = Some(list::place(call).await?);
            }
        }
    }
}

/// What is said where a group has no room.
pub(super) fn too_many(group: &ScimGroup) -> ScimError {
    ScimError::TooMany(format!(
        "{} has too many members for one answer; ask with excludedAttributes=members, or by a filter whether one is in it",
        group.record.display_name
    ))
}
