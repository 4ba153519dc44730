//! What is done about people.

use std::collections::{HashMap, HashSet};

use super::log::Log;
use super::record;
use super::round::{Failed, People, Round};
use crate::entra::delta::{Gone, PersonTold, Said};
use crate::model::ids::{ObjectId, ScimUserId};
use crate::model::scim::UserRecord;
use crate::store::{ScimKey, ScimUser, StoreError, UserWritten};

/// What was told of each person, in Graph's order: of one who is told of several times, what comes later stands.
pub(super) fn merged(told: Vec<PersonTold>) -> Vec<PersonTold> {
    let mut people: Vec<PersonTold> = Vec::with_capacity(told.len());
    let mut places: HashMap<ObjectId, usize> = HashMap::with_capacity(told.len());
    for told in told {
        let place = *places.entry(told.object).or_insert(people.len());
        match people.get_mut(place) {
            Some(person) => {
                let before = std::mem::replace(person, told);
                keep_unsaid(person, before);
            }
            None => people.push(told),
        }
    }
    people
}

/// What the later word does not say, the earlier one said.
fn keep_unsaid(person: &mut PersonTold, before: PersonTold) {
    person.enabled = person.enabled.or(before.enabled);
    for (said, before) in [
        (&mut person.principal_name, before.principal_name),
        (&mut person.mail, before.mail),
        (&mut person.display_name, before.display_name),
        (&mut person.given_name, before.given_name),
        (&mut person.surname, before.surname),
    ] {
        if *said == Said::Nothing {
            *said = before;
        }
    }
}

/// What a person is called while another one takes their name, until Graph tells their new one.
fn parked(user: &ScimUser) -> String {
    user.record
        .object()
        .map_or_else(|| user.id.to_string(), |object| object.to_string())
}

impl Round<'_> {
    /// Does what was told of a person.
    pub(super) async fn person(
        &self,
        told: &PersonTold,
        whole: bool,
        people: &mut People,
        log: &mut Log<'_>,
    ) -> Result<(), Failed> {
        self.must_stand()?;
        let known = self
            .store()
            .scim_with::<ScimUser>(self.id(), ScimKey::Object(told.object))
            .await?;
        let result = match (known.into_iter().next(), told.gone) {
            // Of a directory as a whole, nobody who is gone is part.
            (None, Some(_)) if whole => return Ok(()),
            (None, Some(_)) => self.bury(told, log).await,
            (None, None) => self.insert(told, people, log).await,
            (Some(user), Some(Gone::ForGood)) => {
                people.by_object.remove(&told.object);
                self.delete(user.id, log).await
            }
            (Some(user), _) => self.update(&user, told, log).await,
        };
        match result {
            Err(StoreError::Conflict(attribute)) => {
                let why = format!("another person has the same {attribute}");
                log.refused("USER", &told.object.to_string(), &why).await;
                Ok(())
            }
            result => Ok(result?),
        }
    }

    async fn insert(
        &self,
        told: &PersonTold,
        people: &mut People,
        log: &mut Log<'_>,
    ) -> Result<(), StoreError> {
        let record = record::told(None, told);
        let written = match self.store().insert_scim_user(self.id(), &record, self).await {
            Err(StoreError::Conflict(_)) => {
                let holder = self.holder_of(record.user_name()).await?;
                if let Some(holder) = holder.as_ref().filter(|holder| holder.record.object().is_none()) {
                    // Told of in another way before, under another id.
                    people.nameless.remove(&holder.id);
                    people.by_object.insert(told.object, holder.id);
                    return self.update(holder, told, log).await;
                }
                self.park(holder, log).await?;
                self.store().insert_scim_user(self.id(), &record, self).await?
            }
            written => written?,
        };
        people.by_object.insert(told.object, written.user.id);
        self.take_effect(written.consequences, log);
        Ok(())
    }

    async fn update(&self, user: &ScimUser, told: &PersonTold, log: &mut Log<'_>) -> Result<(), StoreError> {
        let record = record::told(Some(&user.record), told);
        if record == user.record {
            return Ok(());
        }
        match self
            .change(user.id, &|before| record::told(Some(before), told))
            .await
        {
            Err(StoreError::Conflict(_)) => {
                let holder = self.holder_of(record.user_name()).await?;
                self.park(holder, log).await?;
                let written = self
                    .change(user.id, &|before| record::told(Some(before), told))
                    .await?;
                self.told(log, written);
            }
            written => self.told(log, written?),
        }
        Ok(())
    }

    fn told(&self, log: &mut Log<'_>, written: Option<UserWritten>) {
        if let Some(written) = written.filter(|written| written.changed) {
            self.take_effect(written.consequences, log);
        }
    }

    async fn change(
        &self,
        id: ScimUserId,
        change: &(dyn Fn(&UserRecord) -> UserRecord + Sync),
    ) -> Result<Option<UserWritten>, StoreError> {
        let change = |before: &UserRecord| Ok::<_, std::convert::Infallible>(change(before));
        let written = self
            .store()
            .update_scim_user(self.id(), id, &change, self)
            .await?;
        Ok(written.map(|written| match written {
            Ok(written) => written,
            Err(never) => match never {},
        }))
    }

    async fn holder_of(&self, name: &str) -> Result<Option<ScimUser>, StoreError> {
        let found = self
            .store()
            .scim_with::<ScimUser>(self.id(), ScimKey::Name(name))
            .await?;
        Ok(found.into_iter().next())
    }

    /// Takes a name from whoever has it. Names move from one person to another, and Graph tells of it in any order.
    async fn park(&self, holder: Option<ScimUser>, log: &mut Log<'_>) -> Result<(), StoreError> {
        let Some(holder) = holder else { return Ok(()) };
        let name = parked(&holder);
        let rename = |before: &UserRecord| {
            let mut record = before.clone();
            record.0.insert("userName".to_owned(), name.as_str().into());
            record
        };
        let written = self.change(holder.id, &rename).await?;
        self.told(log, written);
        Ok(())
    }

    /// Somebody is gone of whom nothing was known: whoever it is stays out, even if they are signing in this moment.
    async fn bury(&self, told: &PersonTold, log: &mut Log<'_>) -> Result<(), StoreError> {
        let record = record::told(None, told);
        let written = self.store().insert_scim_user(self.id(), &record, self).await?;
        let id = written.user.id;
        self.take_effect(written.consequences, log);
        self.delete(id, log).await
    }

    async fn delete(&self, id: ScimUserId, log: &mut Log<'_>) -> Result<(), StoreError> {
        let deleted = self.store().delete_scim_user(self.id(), id, self).await?;
        if let Some(deleted) = deleted {
            self.take_effect(deleted.consequences, log);
        }
        Ok(())
    }

    /// Deletes who is not in the directory as a whole.
    pub(super) async fn delete_absent(
        &self,
        people: &mut People,
        told: &[PersonTold],
        log: &mut Log<'_>,
    ) -> Result<(), Failed> {
        let there: HashSet<ObjectId> = told
            .iter()
            .filter(|told| told.gone.is_none())
            .map(|told| told.object)
            .collect();
        let absent: Vec<(ObjectId, ScimUserId)> = people
            .by_object
            .iter()
            .filter(|(object, _)| !there.contains(object))
            .map(|(object, id)| (*object, *id))
            .collect();
        for (object, id) in absent {
            self.must_stand()?;
            people.by_object.remove(&object);
            self.delete(id, log).await?;
        }
        Ok(())
    }

    /// Deletes whom another way of telling left and nobody in the directory as a whole is.
    pub(super) async fn delete_nameless(&self, people: &People, log: &mut Log<'_>) -> Result<(), Failed> {
        for id in &people.nameless {
            self.must_stand()?;
            self.delete(*id, log).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::entra::delta::page::Entry as _;

    #[test]
    fn what_is_told_later_of_somebody_stands_and_nobody_is_told_of_twice() {
        let told = |number: u128, mut entry: serde_json::Value| {
            entry["id"] = uuid::Uuid::from_u128(number).to_string().into();
            PersonTold::read(entry.as_object().unwrap()).unwrap()
        };
        let people = merged(vec![
            told(1, json!({ "accountEnabled": true, "mail": "a@x.example" })),
            told(2, json!({ "accountEnabled": false })),
            told(1, json!({ "accountEnabled": false })),
            told(2, json!({ "@removed": { "reason": "deleted" } })),
            told(2, json!({ "accountEnabled": true })),
        ]);
        let [first, second] = people.as_slice() else {
            panic!("{people:?}")
        };
        assert_eq!(
            (first.enabled, first.mail.value()),
            (Some(false), Some("a@x.example"))
        );
        assert_eq!((second.enabled, second.gone), (Some(true), None));
    }
}
