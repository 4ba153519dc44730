//! Lists of e-mail and network addresses, which rules refer to
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/gateway/subresources/lists/>).

use std::collections::{HashMap, HashSet};

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::call::{Answer, Call, Content};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::{self, Page, Sizes};
use super::resource::{self, Around, Resource, Shown, take, written_answer};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::model::permission::{Area, Permission};
use crate::store::{Document, Kind};

const ITEM: Shape = Shape {
    name: "ListItem",
    keys: &[
        needed("value", What::Text),
        optional("description", What::Text),
        read_only("created_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};
pub(super) const SHAPE: Shape = Shape {
    name: "List",
    keys: &[
        read_only("id", What::Id),
        needed("name", What::Text),
        needed("type", What::Word(&["EMAIL", "IP"])),
        optional("description", What::Text),
        optional("items", What::Objects(&ITEM)),
        read_only("count", What::Number),
        read_only("list_count", What::Number),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};
const CHANGE: Shape = Shape {
    name: "ListChange",
    keys: &[
        // cloudflare-go before version 1 says once more which list it is.
        read_only("id", What::Id),
        optional("append", What::Objects(&ITEM)),
        optional("remove", What::Texts),
    ],
    unknown: UnknownKeys::Refused,
};

struct Lists;

impl Resource for Lists {
    const KIND: Kind = Kind::List;
    const UNKNOWN: Unknown = Unknown::List;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "list_id";

    /// A list keeps its type and, where none are sent, its items.
    const STAY: &'static [&'static str] = &["type", "items"];

    const LEFT_OUT: &'static [&'static str] = &["items"];

    fn present(_: &Around<'_>, document: &Document) -> Value {
        Shown::begin(&["id"], document)
            .with("count", items(&document.body).len())
            .timed(document)
            .into_value()
    }
}

fn items(body: &Value) -> &[Value] {
    body.get("items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

async fn list_items(call: &Call<'_>) -> Result<Answer, ApiError> {
    let page = Page::of(&call.query, Lists::SIZES)?;
    let id = Lists::id(call)?;
    let snapshot = call.latest().await?;
    let object = snapshot.objects.get(Kind::List, id);
    let object = object.ok_or_else(|| ApiError::unknown(Lists::UNKNOWN))?;
    let (items, total) = page.cut(call.api.items.of(object).to_vec());
    let info = page.info(items.len(), total);
    Ok(Answer::with(Content::AllKept(items), Some(info)))
}

/// Adds and removes items.
async fn patch(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &CHANGE, call.object()?)?;
    let change = |body: &mut Map<String, Value>| {
        edit(body, &taken.body);
        Ok(())
    };
    let written = resource::amend::<Lists>(call, change).await?;
    written_answer::<Lists>(call, written, messages).await
}

fn edit(body: &mut Map<String, Value>, change: &Map<String, Value>) {
    let of = |map: &Map<String, Value>, key: &str| {
        let items = map.get(key).and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    let removed = of(change, "remove");
    let removed: HashSet<&str> = removed.iter().filter_map(Value::as_str).collect();
    let value = |item: &Value| item.get("value").and_then(Value::as_str).map(str::to_owned);
    let stays = |item: &Value| value(item).is_none_or(|value| !removed.contains(value.as_str()));
    let mut kept: Vec<Value> = of(body, "items").into_iter().filter(stays).collect();
    // Neither addresses of people nor of networks differ by case.
    let same = |item: &Value| value(item).map(|value| value.trim().to_ascii_lowercase());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(kept.len());
    for (place, item) in kept.iter().enumerate() {
        places.extend(same(item).map(|value| (value, place)));
    }
    for item in of(change, "append") {
        let place = same(&item).map(|value| *places.entry(value).or_insert(kept.len()));
        // What is there already is there anew, once.
        match place.and_then(|place| kept.get_mut(place)) {
            Some(there) => *there = item,
            None => kept.push(item),
        }
    }
    body.insert("items".to_owned(), kept.into());
}

async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    resource::delete::<Lists>(call)
        .await
        .map(|_| Answer::of(json!({})))
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const ALL: &str = "/accounts/{account_id}/gateway/lists";
const ONE: &str = "/accounts/{account_id}/gateway/lists/{list_id}";
const ITS_ITEMS: &str = "/accounts/{account_id}/gateway/lists/{list_id}/items";

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Organization,
        list: ("list_lists", "List lists, without their items"),
        create: ("create_list", "Make a list"),
        get: ("get_list", "Read a list"),
        update: ("update_list", "Replace a list"),
        delete: ("delete_list", "Delete a list that nothing names"),
    }
    .of::<Lists>();
    [
        listed,
        made,
        read,
        replaced,
        deleted
            .by(|call| Box::pin(delete(call)))
            .giving(Gives::Any)
            .status(StatusCode::OK),
        Operation::new(
            (&Method::PATCH, ONE),
            WRITE,
            ("edit_list", "Add and remove items of a list"),
            Gives::Object(&SHAPE),
            |call| Box::pin(patch(call)),
        )
        .taking(&CHANGE),
        Operation::new(
            (&Method::GET, ITS_ITEMS),
            READ,
            ("list_list_items", "List the items of a list"),
            Gives::Page(&ITEM),
            |call| Box::pin(list_items(call)),
        )
        .asked(page::PAGED),
    ]
};
