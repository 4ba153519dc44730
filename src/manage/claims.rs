//! What objects have for themselves, and nobody else may have besides: addresses, audience tags, client ids, being the
//! launcher.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use serde_json::Value;
use uuid::Uuid;

use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::ids::{AppId, AudTag, ClientId};
use crate::snapshot::read;
use crate::store::Kind;

/// Which objects.
pub(super) type Keys = HashSet<(Kind, Uuid)>;

/// An object that has something, and what it is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner<'o> {
    key: (Kind, Uuid),
    name: &'o str,
}

/// An object as an owner.
pub(super) fn of(kind: Kind, id: Uuid, name: &str) -> Owner<'_> {
    Owner {
        key: (kind, id),
        name,
    }
}

/// What some objects have.
#[derive(Debug, Default)]
pub(super) struct Claims {
    pub(super) addresses: Owners<Destination>,
    pub(super) audiences: Owners<AudTag>,
    pub(super) client_ids: Owners<ClientId>,
    /// The application that stands for the launcher; there is one at most.
    pub(super) launchers: Owners<()>,
}

impl Claims {
    /// Enters what an object has, or takes it out. One that cannot be read denies everyone already and has nothing here.
    pub(super) fn note(&mut self, owner: Owner<'_>, body: &Value, there: bool) {
        let (kind, id) = owner.key;
        match kind {
            Kind::ServiceToken => {
                let written = body.get("client_id").and_then(Value::as_str);
                if let Some(client_id) = written.and_then(|text| text.parse().ok()) {
                    self.client_ids.note(client_id, owner, there);
                }
            }
            Kind::Application => {
                if read::is_launcher(body) {
                    self.launchers.note((), owner, there);
                }
                if let Ok(read) = read::application(AppId(id), body) {
                    let Application {
                        destinations, aud, ..
                    } = read.application;
                    for destination in destinations {
                        self.addresses.note(destination, owner, there);
                    }
                    self.audiences.note(aud, owner, there);
                }
            }
            _ => {}
        }
    }
}

/// Who has what. One thing may have been claimed twice before there was a check.
#[derive(Debug)]
pub(super) struct Owners<T>(HashMap<T, Vec<Named>>);

/// An object, and its name.
type Named = ((Kind, Uuid), String);

impl<T> Default for Owners<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Owners<T> {
    /// Enters an owner, or takes it out.
    pub(super) fn note(&mut self, what: T, owner: Owner<'_>, there: bool) {
        if there {
            let owners = self.0.entry(what).or_default();
            owners.retain(|(key, _)| *key != owner.key);
            owners.push((owner.key, owner.name.to_owned()));
        } else if let Some(owners) = self.0.get_mut(&what) {
            owners.retain(|(key, _)| *key != owner.key);
            if owners.is_empty() {
                self.0.remove(&what);
            }
        }
    }

    /// The object, by its name, that has something and is not among these.
    pub(super) fn of(&self, what: &T, but: &Keys) -> Option<&str> {
        let mut owners = self.0.get(what)?.iter();
        let (_, name) = owners.find(|(key, _)| !but.contains(key))?;
        Some(name)
    }
}
