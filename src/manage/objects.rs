//! Objects of the API: made, changed and deleted, each in one transaction with its line in the audit log.
//!
//! A change is held against everything it touches: the object itself, what it refers to, and what refers to it. What
//! would no longer stand after it refuses the change, and nothing is written.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use super::plan::Planned;
use super::stored::Stored;
use super::validate::Beside;
use super::{Manage, ManageError, RefusedObject, written};
use crate::snapshot::read::Problem;
use crate::snapshot::secrets;
use crate::store::{Actor, Document, Kind, ObjectWrite, Position};

/// An object as it is to be: the accepted JSON, and the secrets that were taken out of it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Its name, a label.
    pub name: String,
    /// The object, without secrets.
    pub body: Value,
    /// Its secrets, by the key that held them.
    pub secrets: BTreeMap<String, SecretString>,
}

/// An object that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// How it stands now.
    pub document: Document,
    /// The change that it was written with: what a gateway must have reached for it to be in force there.
    pub position: Position,
}

impl Manage {
    /// Makes an object.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where it cannot stand, [`ManageError::Taken`] where only what others have stands against it,
    /// [`ManageError::Exists`] where there is one with this id.
    pub async fn create(
        &self,
        kind: Kind,
        id: Uuid,
        draft: Draft,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        // Tokens of the API are called by their names.
        let mut tokens = stored.of_kind(Kind::ApiToken).iter();
        let taken = kind == Kind::ApiToken && tokens.any(|token| token.name == draft.name);
        if taken || stored.contains(kind, id) {
            return Err(ManageError::Exists {
                kind,
                name: draft.name,
            });
        }
        self.put(write, vec![(kind, id, draft)], &stored).await
    }

    /// Changes an object: `change` is given it with its secrets, as they stand in the transaction, and says how it is to
    /// be.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`], [`ManageError::Refused`], and what `change` answers.
    pub async fn change(
        &self,
        kind: Kind,
        id: Uuid,
        change: impl FnOnce(&Document, BTreeMap<String, SecretString>) -> Result<Draft, Vec<Problem>>,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let before = stored.changeable(kind, id)?;
        let refused = |problems| {
            ManageError::Refused(vec![RefusedObject {
                kind,
                name: before.name.clone(),
                problems,
            }])
        };
        let held = secrets::open(&before, &self.sealer, self.clock.now_ms()).map_err(|error| {
            refused(vec![Problem {
                pointer: String::new(),
                reason: error.to_string(),
            }])
        })?;
        let draft = change(&before, held).map_err(refused)?;
        if kind == Kind::CustomPage && draft.body.get("type") != before.body.get("type") {
            self.refuse_if_organization_shows(&mut write, &before).await?;
        }
        self.put(write, vec![(kind, id, draft)], &stored).await
    }

    /// Deletes an object; what it was. Sessions of a provider that goes end with it.
    ///
    /// # Errors
    /// [`ManageError::NotFound`], [`ManageError::Declared`], [`ManageError::InUse`] where other objects refer to it.
    pub async fn delete(&self, kind: Kind, id: Uuid, actor: Actor) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let document = stored.changeable(kind, id)?;
        self.refuse_if_used(&document, &stored)?;
        if kind == Kind::CustomPage {
            self.refuse_if_organization_shows(&mut write, &document).await?;
        }
        written::delete(&mut write, &document).await?;
        Ok(Written {
            document,
            position: write.commit().await?,
        })
    }

    /// Makes a policy that stands in an application one of its own, by the same id; the application refers to it.
    ///
    /// # Errors
    /// [`ManageError::NotFound`] where the application has no such policy, [`ManageError::Exists`] where there is another
    /// with its id, [`ManageError::Declared`], [`ManageError::Refused`].
    pub async fn make_reusable(
        &self,
        application: Uuid,
        policy: Uuid,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let stored = Stored::before(&mut write).await?;
        let kind = Kind::Application;
        let before = stored.changeable(kind, application)?;
        let mut body = before.body.clone();
        let own = body
            .get_mut("policies")
            .and_then(Value::as_array_mut)
            .and_then(|items| items.iter_mut().find(|item| is_own(item, policy)))
            .ok_or(ManageError::NotFound {
                kind: Kind::Policy,
                id: policy,
            })?;
        let mut taken_out = own.take();
        let mut link = json!({ "id": policy.to_string() });
        if let (Value::Object(taken_out), Value::Object(link)) = (&mut taken_out, &mut link) {
            link.extend(taken_out.shift_remove_entry("precedence"));
            for key in ["id", "created_ms", "updated_ms"] {
                taken_out.shift_remove(key);
            }
        }
        *own = link;
        let name = taken_out.get("name").and_then(Value::as_str).unwrap_or_default();
        if stored.contains(Kind::Policy, policy) {
            return Err(ManageError::Exists {
                kind: Kind::Policy,
                name: name.to_owned(),
            });
        }
        let drafts = vec![
            (
                Kind::Policy,
                policy,
                Draft {
                    name: name.to_owned(),
                    body: taken_out,
                    secrets: BTreeMap::new(),
                },
            ),
            (
                kind,
                application,
                Draft {
                    name: before.name.clone(),
                    body,
                    secrets: BTreeMap::new(),
                },
            ),
        ];
        self.put(write, drafts, &stored).await
    }

    /// Writes objects together; answers with the last of them.
    pub(super) async fn put(
        &self,
        mut write: ObjectWrite,
        drafts: Vec<(Kind, Uuid, Draft)>,
        stored: &Stored,
    ) -> Result<Written, ManageError> {
        let planned: Vec<Planned> = drafts
            .into_iter()
            .map(|(kind, id, draft)| self.planned(kind, id, draft, stored))
            .collect();
        self.validate(&planned, Beside::all(stored))?;
        let mut last = None;
        for planned in &planned {
            if let Some(before) = &planned.before {
                self.validate_users(planned, before, stored)?;
            }
            last = Some(written::put(&mut write, planned.before.as_ref(), &planned.document).await?);
        }
        // There is always at least one draft.
        let document = last.ok_or(ManageError::Refused(Vec::new()))?;
        Ok(Written {
            document,
            position: write.commit().await?,
        })
    }

    fn planned(&self, kind: Kind, id: Uuid, draft: Draft, stored: &Stored) -> Planned {
        let before = stored.get(kind, id);
        let document = Document {
            secrets: secrets::seal(kind, id, &draft.secrets, &self.sealer, self.clock.now_ms()),
            declared: before.as_ref().is_some_and(|before| before.declared),
            ..Document::new(kind, id, draft.name, draft.body)
        };
        Planned {
            document,
            secrets: draft.secrets,
            before,
            changes: true,
        }
    }

    /// Whether what rests on an object, however deep, still stands once it is changed. What did not stand before is no
    /// reason to refuse: the change may be its mend.
    fn validate_users(
        &self,
        planned: &Planned,
        before: &Document,
        stored: &Stored,
    ) -> Result<(), ManageError> {
        let changed = &planned.document;
        let users: Vec<Planned> = self
            .resting_on(changed.id, stored)
            .into_iter()
            .map(|document| Planned {
                document,
                secrets: BTreeMap::new(),
                before: None,
                changes: false,
            })
            .collect();
        if users.is_empty() {
            return Ok(());
        }
        let beside = |object: &Document| match self.validate(&users, Beside::with(stored, object)) {
            Err(ManageError::Refused(refused) | ManageError::Taken(refused)) => refused,
            _ => Vec::new(),
        };
        let after = beside(changed);
        if after.is_empty() {
            return Ok(());
        }
        let known = beside(before);
        let broken = after.into_iter().filter(|user| !known.contains(user));
        let refused: Vec<RefusedObject> = broken.flat_map(|user| in_use(planned, user)).collect();
        if refused.is_empty() {
            Ok(())
        } else {
            Err(ManageError::Refused(refused))
        }
    }
}

impl Manage {
    /// An object that others refer to stays.
    pub(super) fn refuse_if_used(&self, document: &Document, stored: &Stored) -> Result<(), ManageError> {
        let index = self.index.of(stored);
        let tagged = (document.kind == Kind::Tag).then(|| index.tagged(&document.name));
        let users = index.users_of(document.id).chain(tagged.into_iter().flatten());
        let mut by: Vec<String> = users
            .map(|user| format!("{} \"{}\"", user.kind.as_str(), user.name))
            .collect();
        if by.is_empty() {
            return Ok(());
        }
        by.sort();
        Err(ManageError::InUse {
            kind: document.kind,
            name: document.name.clone(),
            by,
        })
    }

    /// The objects that refer to one, those that refer to them, and so on.
    fn resting_on(&self, id: Uuid, stored: &Stored) -> Vec<Document> {
        let resting = self.index.of(stored).resting_on(id);
        resting.iter().map(|object| object.document()).collect()
    }
}

/// Whether an item among an application's policies is this one, and not a reference to it.
fn is_own(item: &Value, policy: Uuid) -> bool {
    let id = item.get("id").and_then(Value::as_str);
    item.get("decision").is_some() && id.is_some_and(|id| id.eq_ignore_ascii_case(&policy.to_string()))
}

/// What is wrong with an object for the sake of one that refers to it.
fn in_use(planned: &Planned, user: RefusedObject) -> impl Iterator<Item = RefusedObject> + use<> {
    let (kind, name) = (planned.document.kind, planned.document.name.clone());
    user.problems.into_iter().map(move |problem| RefusedObject {
        kind,
        name: name.clone(),
        problems: vec![Problem {
            pointer: String::new(),
            reason: format!(
                "the {} \"{}\" would no longer stand: {}",
                user.kind.as_str(),
                user.name,
                problem.reason
            ),
        }],
    })
}
