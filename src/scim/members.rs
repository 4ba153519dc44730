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

/// Most members in one answer: some 40 MB.
const MOST: usize = 200_000;
/// Members read at once. An answer with a group of so many is one of those that take long.
const AT_ONCE: usize = 1000;

/// What an answer has room for.
#[derive(Default)]
pub(super) struct Room<'c> {
    members: usize,
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
            self.members += members.len();
            if self.members > MOST {
                return Ok(None);
            }
            let shown = members
                .iter()
                .map(|(id, name)| shown_member(*id, name, &call.base));
            let shown = Map::from_iter([(MEMBERS.to_owned(), shown.collect())]);
            if let Some(Value::Array(shown)) = wanted.apply(shown).get(MEMBERS) {
                shown.iter().for_each(|member| text.push(member));
            }
            if members.len() < AT_ONCE {
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
        "{} has more than {MOST} members; ask with excludedAttributes=members, or whether one is in it by a filter",
        group.record.display_name
    ))
}
