//! Settings of the organization that are made through the API. They stand in its object, and in a snapshot in the place
//! of what the configuration file leaves open.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::organization::{read, set};
use super::{Manage, ManageError, RefusedObject, Written, written};
use crate::model::organization::OrganizationPages;
use crate::session::keys::{self, KeyError};
use crate::snapshot::read::{KEY_ROTATION, Problem, SETTINGS, organization_settings};
use crate::store::{Actor, Document, Kind, ObjectWrite, StoreError};

impl Manage {
    /// Changes settings: a value takes the place of the one there was, null takes it away, and what is not named stays.
    ///
    /// # Errors
    /// [`ManageError::Refused`] where they cannot stand.
    pub async fn change_settings(
        &self,
        changes: Map<String, Value>,
        actor: Actor,
    ) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let before = read(&mut write).await?;
        let mut settings = made(&before);
        for (key, value) in changes {
            match value {
                Value::Null => {
                    settings.shift_remove(&key);
                }
                value => {
                    settings.insert(key, value);
                }
            }
        }
        let settings = Value::Object(settings);
        let read = organization_settings(&settings).map_err(|problems| refused(&before, problems))?;
        let problems = match &read.custom_pages {
            Some(pages) => page_problems(&mut write, pages).await?,
            None => Vec::new(),
        };
        if !problems.is_empty() {
            return Err(refused(&before, problems));
        }
        let mut after = before.clone();
        set(&mut after, SETTINGS, settings);
        put(write, &before, &after).await
    }

    /// Sets after how many days another key signs: a number of days that can stand, as it is to be shown again.
    ///
    /// # Errors
    /// [`ManageError::Store`].
    pub async fn set_key_rotation(&self, days: Value, actor: Actor) -> Result<Written, ManageError> {
        let mut write = self.store.write(actor).await?;
        let before = read(&mut write).await?;
        let mut after = before.clone();
        set(&mut after, KEY_ROTATION, days);
        put(write, &before, &after).await
    }

    /// A page that the organization shows to those who are refused stays, and stays of its type. What the file names by
    /// name it declares itself, so that only ids are looked at.
    ///
    /// # Errors
    /// [`ManageError::InUse`], [`ManageError::Store`].
    pub(super) async fn refuse_if_organization_shows(
        &self,
        write: &mut ObjectWrite,
        page: &Document,
    ) -> Result<(), ManageError> {
        let organization = read(write).await?;
        let in_file = &self.organization.custom_pages;
        let file = [&in_file.identity_denied, &in_file.forbidden];
        let settings = made(&organization).shift_remove("custom_pages");
        let settings = settings.as_ref().and_then(Value::as_object);
        let is_page = |named: &str| Uuid::try_parse(named).is_ok_and(|named| named == page.id);
        let by_file = file.into_iter().flatten().any(|named| is_page(named));
        let by_settings = settings.is_some_and(|pages| pages.values().filter_map(Value::as_str).any(is_page));
        if !by_file && !by_settings {
            return Ok(());
        }
        let place = if by_file {
            " (in the configuration file)"
        } else {
            ""
        };
        Err(ManageError::InUse {
            kind: Kind::CustomPage,
            name: page.name.clone(),
            by: vec![format!("organization \"{}\"{place}", self.organization.name)],
        })
    }

    /// Lets the next key sign from now on; the one before stays trusted for a week. Whether this call did it: of several
    /// at once, one does.
    ///
    /// # Errors
    /// [`KeyError`] where no further key can be made or stored.
    pub async fn rotate_signing_key(&self, actor: &Actor) -> Result<bool, KeyError> {
        keys::rotate(&self.store, &self.sealer, &self.clock, actor).await
    }
}

/// The settings in the organization's object.
fn made(document: &Document) -> Map<String, Value> {
    let settings = document.body.get(SETTINGS).and_then(Value::as_object);
    settings.cloned().unwrap_or_default()
}

async fn page_problems(
    write: &mut ObjectWrite,
    wanted: &OrganizationPages,
) -> Result<Vec<Problem>, StoreError> {
    let mut problems = Vec::new();
    for (key, id) in [
        ("identity_denied", &wanted.identity_denied),
        ("forbidden", &wanted.forbidden),
    ] {
        let Some(id) = id else { continue };
        let page = match Uuid::try_parse(id) {
            Ok(id) => write.document(Kind::CustomPage, id).await?,
            Err(_) => None,
        };
        let reason = match page
            .as_ref()
            .map(|page| page.body.get("type").and_then(Value::as_str))
        {
            None => format!("no custom page has the id {id}"),
            Some(kind) if kind != Some(key) => format!("the page is not of type {key}"),
            Some(_) => continue,
        };
        problems.push(Problem {
            pointer: format!("/custom_pages/{key}"),
            reason,
        });
    }
    Ok(problems)
}

async fn put(mut write: ObjectWrite, before: &Document, after: &Document) -> Result<Written, ManageError> {
    let document = written::put(&mut write, Some(before), after).await?;
    Ok(Written {
        document,
        position: write.commit().await?,
    })
}

fn refused(document: &Document, problems: Vec<Problem>) -> ManageError {
    ManageError::Refused(vec![RefusedObject {
        kind: Kind::Organization,
        name: document.name.clone(),
        problems,
    }])
}
