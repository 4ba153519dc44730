//! What making the store's objects as the file declares them would change, without changing it.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::plan::Planned;
use super::reconcile::Work;
use super::stored::Stored;
use super::{Manage, ManageError};
use crate::config::declared::Declared;
use crate::model::pointer;
use crate::store::{Document, Kind};

/// What would happen to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What would happen.
    pub difference: Difference,
}

/// What would happen to an object. Values are left out: secrets stand among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is new.
    Create,
    /// These places in it would change, as JSON pointers (RFC 6901), secrets by name.
    Update(Vec<String>),
    /// It is no longer declared, and goes.
    Delete,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind.as_str(), &self.name);
        match &self.difference {
            Difference::Create => write!(f, "+ {kind} {name:?}"),
            Difference::Update(places) => write!(f, "~ {kind} {name:?}: {}", places.join(", ")),
            Difference::Delete => write!(f, "- {kind} {name:?}"),
        }
    }
}

impl Manage {
    /// What [`Manage::reconcile`] would change, by kind and name. Nothing is written.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where some object cannot stand.
    pub async fn preview(&self, declared: &[Declared]) -> Result<Vec<Change>, ManageError> {
        let (_, objects) = self.store.objects().await?;
        let stored = Stored(objects);
        let Work { planned, gone } = self.work(declared, &stored)?;
        let mut changes: Vec<Change> = planned
            .iter()
            .filter(|planned| planned.changes)
            .map(|planned| change(&planned.document, self.difference(planned)))
            .chain(gone.iter().map(|document| change(document, Difference::Delete)))
            .collect();
        changes.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
        Ok(changes)
    }

    fn difference(&self, planned: &Planned) -> Difference {
        let Some(before) = &planned.before else {
            return Difference::Create;
        };
        let mut places = BTreeSet::new();
        differing(&before.body, &planned.document.body, "", &mut places);
        if before.name != planned.document.name {
            places.insert("/name".to_owned());
        }
        if !before.declared {
            // It was made elsewhere, and the file takes it over.
            places.insert("/read_only".to_owned());
        }
        let mut places: Vec<String> = places.into_iter().collect();
        match self.other_secrets(before, &planned.secrets) {
            Some(names) => places.extend(names.into_iter().map(|name| format!("{name} (secret)"))),
            None => places.push("secrets that cannot be opened".to_owned()),
        }
        Difference::Update(places)
    }
}

fn change(document: &Document, difference: Difference) -> Change {
    Change {
        kind: document.kind,
        name: document.name.clone(),
        difference,
    }
}

/// The places at which two values differ: in objects key by key, lists as a whole.
fn differing(before: &Value, after: &Value, at: &str, places: &mut BTreeSet<String>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            places.insert(at.to_owned());
        }
        return;
    };
    for key in old.keys().chain(new.keys()) {
        let place = pointer::below(at, key);
        match (old.get(key), new.get(key)) {
            (Some(before), Some(after)) => differing(before, after, &place, places),
            _ => {
                places.insert(place);
            }
        }
    }
}
