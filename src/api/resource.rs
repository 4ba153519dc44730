//! What most objects of the API have in common: they are listed, read, made, replaced and deleted in one way.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Api;
use super::call::{Answer, Call, Content};
use super::error::{ApiError, Unknown};
use super::notes;
use super::page::{Page, Sizes};
use super::query::Query;
use super::shape::{Shape, Taken};
use super::uses::Counts;
use crate::manage::{Draft, ManageError, Written};
use crate::snapshot::Snapshot;
use crate::snapshot::read::Problem;
use crate::store::{Document, Kind, Object, ObjectFilter};

/// A kind of objects.
pub(super) trait Resource: 'static {
    const KIND: Kind;
    const UNKNOWN: Unknown;
    const SHAPE: &'static Shape;
    const SIZES: Sizes;
    /// The parameter of paths that holds an id.
    const PARAM: &'static str;

    /// Which object a path names.
    ///
    /// # Errors
    /// Where no object can be called so.
    fn id(call: &Call<'_>) -> Result<Uuid, ApiError> {
        call.id(Self::PARAM, Self::UNKNOWN)
    }

    /// Keys that stay as they are where a change does not send them.
    const STAY: &'static [&'static str] = &[];

    /// How a body becomes an object. `before` is the one it takes the place of.
    ///
    /// # Errors
    /// What cannot be taken of it, beyond what readers find.
    fn draft(_call: &Call<'_>, taken: Taken, _before: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        Ok(plain(taken))
    }

    /// Keys that are left out of lists.
    const LEFT_OUT: &'static [&'static str] = &[];

    /// How an object is shown.
    fn present(around: &Around<'_>, document: &Document) -> Value;

    /// What is worth saying about an object that was written.
    fn remarks(_body: &Value) -> Vec<String> {
        Vec::new()
    }

    /// What differs between any two states of what besides the object its picture is made of.
    fn rests_on(_around: &Around<'_>, _object: &Object) -> u64 {
        0
    }
}

/// What objects are shown by.
pub(super) struct Around<'a> {
    pub(super) api: &'a Api,
    pub(super) snapshot: Arc<Snapshot>,
}

impl Around<'_> {
    /// How many applications use what.
    pub(super) fn uses(&self) -> Arc<Counts> {
        self.api.uses.of(&self.snapshot)
    }

    /// An object by itself, as text.
    fn whole<R: Resource>(&self, object: &Object) -> Arc<str> {
        let make = || R::present(self, &object.document()).to_string();
        self.api.texts.of(object, false, R::rests_on(self, object), make)
    }

    /// An object as it stands in a list, as text.
    fn listed<R: Resource>(&self, object: &Object) -> Arc<str> {
        let make = || {
            let mut shown = R::present(self, &object.document());
            if let Value::Object(shown) = &mut shown {
                for key in R::LEFT_OUT {
                    shown.shift_remove(*key);
                }
            }
            shown.to_string()
        };
        self.api.texts.of(object, true, R::rests_on(self, object), make)
    }

    /// A page of a list of objects.
    pub(super) fn page_of<R: Resource>(&self, page: Page, objects: &[&Arc<Object>], total: u64) -> Answer {
        let shown: Vec<Arc<str>> = objects.iter().map(|object| self.listed::<R>(object)).collect();
        let info = page.info(shown.len(), total);
        Answer::with(Content::AllKept(shown), Some(info))
    }

    /// The objects on a page of those that a query asks for, and how many there are in all.
    pub(super) fn found(&self, kind: Kind, query: &Query<'_>, page: Page) -> (Vec<&Arc<Object>>, u64) {
        let filter = ObjectFilter {
            name: query.value("name").map(str::to_owned),
            search: query.value("search").map(str::to_owned),
        };
        self.snapshot
            .objects
            .page(kind, &filter, (page.size, page.offset()))
    }
}

/// An object that is to be replaced, with its secrets.
pub(super) struct Before<'b> {
    pub(super) document: &'b Document,
    pub(super) secrets: BTreeMap<String, SecretString>,
}

/// A page of the objects.
pub(super) async fn list<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&call.query, R::SIZES)?;
    let around = call.around().await?;
    let (objects, total) = around.found(R::KIND, &call.query, page);
    Ok(around.page_of::<R>(page, &objects, total))
}

/// One object.
pub(super) async fn get<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = R::id(call)?;
    let around = call.around().await?;
    let object = around.snapshot.objects.get(R::KIND, id);
    let object = object.ok_or_else(|| ApiError::unknown(R::UNKNOWN))?;
    Ok(Answer::with(Content::Kept(around.whole::<R>(object)), None))
}

/// Makes an object.
pub(super) async fn create<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.object()?;
    create_from::<R>(call, Uuid::new_v4(), body).await
}

/// Makes an object of a body that was read.
pub(super) async fn create_from<R: Resource>(
    call: &Call<'_>,
    id: Uuid,
    body: Map<String, Value>,
) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, R::SHAPE, body)?;
    let draft = R::draft(call, taken, None).map_err(|problems| ApiError::problems(&problems))?;
    let written = call.api.manage.create(R::KIND, id, draft, call.actor()).await?;
    written_answer::<R>(call, written, messages).await
}

/// Replaces an object.
pub(super) async fn update<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let id = R::id(call)?;
    let (mut taken, messages) = take(call, R::SHAPE, body)?;
    let change = |document: &Document, secrets| {
        keep(R::STAY, &document.body, &mut taken.body);
        R::draft(call, taken, Some(Before { document, secrets }))
    };
    let written = call.api.manage.change(R::KIND, id, change, call.actor()).await;
    written_answer::<R>(call, written.map_err(|error| named(error, R::UNKNOWN))?, messages).await
}

/// Leaves these keys of an object as they are where a body does not have them. Null is no text, so it leaves a text as it
/// is; in the place of a list it says that there is none any longer, as Terraform says it.
pub(super) fn keep(keys: &[&str], before: &Value, body: &mut Map<String, Value>) {
    for key in keys {
        let Some(held) = before.get(*key) else { continue };
        let is_sent = body
            .get(*key)
            .is_some_and(|sent| !sent.is_null() || held.is_array());
        if !is_sent {
            body.insert((*key).to_owned(), held.clone());
        }
    }
}

/// Changes part of the object that the path names, and leaves the rest.
pub(super) async fn amend<R: Resource>(
    call: &Call<'_>,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<(), Vec<Problem>>,
) -> Result<Written, ApiError> {
    let id = R::id(call)?;
    let change = |before: &Document, secrets| {
        let mut body = before.body.clone();
        if let Value::Object(body) = &mut body {
            change(body)?;
        }
        Ok(Draft {
            name: before.name.clone(),
            body,
            secrets,
        })
    };
    let written = call.api.manage.change(R::KIND, id, change, call.actor()).await;
    let written = written.map_err(|error| named(error, R::UNKNOWN))?;
    call.in_force(&written.position).await;
    Ok(written)
}

/// Deletes an object, and answers with its id.
pub(super) async fn delete<R: Resource>(call: &Call<'_>) -> Result<Answer, ApiError> {
    let id = R::id(call)?;
    let deleted = call.api.manage.delete(R::KIND, id, call.actor()).await;
    let deleted = deleted.map_err(|error| named(error, R::UNKNOWN))?;
    call.in_force(&deleted.position).await;
    Ok(Answer::of(json!({ "id": id })))
}

/// The object that a path names.
pub(super) fn stored<R: Resource>(call: &Call<'_>, around: &Around<'_>) -> Result<Document, ApiError> {
    let id = R::id(call)?;
    let object = around.snapshot.objects.get(R::KIND, id);
    object
        .map(|object| object.document())
        .ok_or_else(|| ApiError::unknown(R::UNKNOWN))
}

/// Answers with an object that was written.
pub(super) async fn written_answer<R: Resource>(
    call: &Call<'_>,
    written: Written,
    mut messages: Vec<String>,
) -> Result<Answer, ApiError> {
    call.in_force(&written.position).await;
    messages.extend(R::remarks(&written.document.body));
    let shown = R::present(&call.around_now(), &written.document);
    Ok(Answer::of(shown).saying(messages))
}

/// Takes a body apart; what of it is kept without a meaning, or means less than it seems to, is said.
pub(super) fn take(
    call: &Call<'_>,
    shape: &Shape,
    body: Map<String, Value>,
) -> Result<(Taken, Vec<String>), ApiError> {
    let mut taken = shape.take(body);
    if !taken.problems.is_empty() {
        return Err(ApiError::problems(&taken.problems));
    }
    let unknown = std::mem::take(&mut taken.unknown);
    let meant = unknown
        .iter()
        .filter(|pointer| says_something(&taken.body, pointer));
    let said = meant.map(|pointer| {
        format!("{pointer} is kept, and nothing follows from it: this version does not know it")
    });
    let mut said: Vec<String> = said.collect();
    said.extend(notes::of(shape, &taken.body, &call.snapshot));
    Ok((taken, said))
}

/// Whether something stands at a place of a body that might have been meant to do something. Clients send keys that they
/// know with nothing in them.
fn says_something(body: &Map<String, Value>, pointer: &str) -> bool {
    let mut segments = pointer.strip_prefix('/').unwrap_or(pointer).split('/');
    let first = segments
        .next()
        .unwrap_or_default()
        .replace("~1", "/")
        .replace("~0", "~");
    let below: String = segments.flat_map(|segment| ["/", segment]).collect();
    match body.get(&first).and_then(|value| value.pointer(&below)) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(map)) => !map.is_empty(),
        Some(_) => true,
    }
}

/// An object that is not there, by its own name.
pub(super) fn named(error: ManageError, what: Unknown) -> ApiError {
    match error {
        ManageError::NotFound { .. } => ApiError::unknown(what),
        other => other.into(),
    }
}

/// A draft of a body as it is, called by its `name`.
pub(super) fn plain(taken: Taken) -> Draft {
    Draft {
        name: name_of(&taken.body),
        body: Value::Object(taken.body),
        secrets: BTreeMap::new(),
    }
}

/// The name in a body; readers say where it is missing.
pub(super) fn name_of(body: &Map<String, Value>) -> String {
    let name = body.get("name").and_then(Value::as_str);
    name.unwrap_or_default().to_owned()
}

/// An object as it was accepted, with what the server knows of it in front and behind.
pub(super) struct Shown(Map<String, Value>);

impl Shown {
    /// Its id first.
    pub(super) fn begin(id_keys: &[&str], document: &Document) -> Self {
        let mut map = Map::new();
        for key in id_keys {
            map.insert((*key).to_owned(), document.id.to_string().into());
        }
        if let Value::Object(body) = &document.body {
            map.extend(body.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        if document.declared {
            map.insert("read_only".to_owned(), true.into());
        }
        Self(map)
    }

    /// A key of the server's.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// A key that stands as it was sent, and so where it was not.
    pub(super) fn or(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.entry(key).or_insert_with(|| value.into());
        self
    }

    /// When it was made and last changed.
    pub(super) fn timed(self, document: &Document) -> Self {
        self.with("created_at", time(document.created_ms))
            .with("updated_at", time(document.updated_ms))
    }

    pub(super) fn into_map(self) -> Map<String, Value> {
        self.0
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// A time as the API writes it: RFC 3339, to the second.
pub(super) fn time(ms: i64) -> String {
    let at = jiff::Timestamp::from_second(ms.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_string()
}
