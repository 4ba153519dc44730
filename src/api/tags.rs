//! Tags, which applications are found by in the launcher; a tag is its name
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/tags/>).

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::Sizes;
use super::resource::{self, Around, Before, Resource, Shown, named, plain, take, written_answer};
use super::shape::{Shape, Taken, UnknownKeys, What, needed, read_only};
use crate::manage::Draft;
use crate::model::application::Tag;
use crate::model::permission::Area;
use crate::snapshot::read::Problem;
use crate::store::{Document, Kind, Object};

pub(super) const SHAPE: Shape = Shape {
    name: "Tag",
    keys: &[
        needed("name", What::Text),
        read_only("app_count", What::Number),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};

struct Tags;

impl Resource for Tags {
    const KIND: Kind = Kind::Tag;
    const UNKNOWN: Unknown = Unknown::Tag;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "tag_name";

    fn draft(_: &Call<'_>, taken: Taken, _: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        let draft = plain(taken);
        let problem = |reason: String| {
            vec![Problem {
                pointer: "/name".to_owned(),
                reason,
            }]
        };
        match draft.name.parse::<Tag>() {
            Ok(_) if draft.name.contains(SLASH) => Err(problem(format!("{SLASH} would be read as a slash"))),
            Ok(_) => Ok(draft),
            Err(malformed) => Err(problem(malformed.to_string())),
        }
    }

    fn present(around: &Around<'_>, document: &Document) -> Value {
        Shown::begin(&[], document)
            .with("app_count", around.uses().of_tag(&document.name))
            .timed(document)
            .into_value()
    }

    fn rests_on(around: &Around<'_>, object: &Object) -> u64 {
        around.uses().of_tag(&object.name)
    }
}

/// Tags have their names for ids: the id in the store follows from the name.
fn id_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("tag {name}").as_bytes())
}

/// How a slash in a parameter of a path stands once the path is decoded: else it would separate segments.
const SLASH: &str = "%2F";

fn named_in_path(call: &Call<'_>) -> String {
    call.params.get("tag_name").replace(SLASH, "/")
}

async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let id = id_of(&resource::name_of(&body));
    resource::create_from::<Tags>(call, id, body).await
}

async fn get(call: &Call<'_>) -> Result<Answer, ApiError> {
    resource::kept::<Tags>(&call.around().await?, id_of(&named_in_path(call)))
}

/// A tag under another name is another one.
async fn update(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = take(call, &SHAPE, call.object()?)?;
    let name = named_in_path(call);
    if resource::name_of(&taken.body) != name {
        return Err(ApiError::invalid_at(
            "/name",
            "a tag keeps its name; make another one",
        ));
    }
    let change = |document: &Document, secrets| Tags::draft(call, taken, Some(Before { document, secrets }));
    let written = call
        .api
        .manage
        .change(Kind::Tag, id_of(&name), change, call.actor())
        .await;
    written_answer::<Tags>(
        call,
        written.map_err(|error| named(error, Unknown::Tag))?,
        messages,
    )
    .await
}

async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let name = named_in_path(call);
    let deleted = call
        .api
        .manage
        .delete(Kind::Tag, id_of(&name), call.actor())
        .await;
    let deleted = deleted.map_err(|error| named(error, Unknown::Tag))?;
    call.in_force(&deleted.position).await;
    Ok(Answer::of(json!({ "name": name })))
}

const ALL: &str = "/accounts/{account_id}/access/tags";
const ONE: &str = "/accounts/{account_id}/access/tags/{tag_name}";

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Applications,
        list: ("list_tags", "List tags"),
        create: ("create_tag", "Make a tag"),
        get: ("get_tag", "Read a tag"),
        update: ("update_tag", "Write a tag anew"),
        delete: ("delete_tag", "Delete a tag"),
    }
    .of::<Tags>();
    [
        listed,
        made.by(|call| Box::pin(create(call))),
        read.by(|call| Box::pin(get(call))),
        replaced.by(|call| Box::pin(update(call))),
        deleted.by(|call| Box::pin(delete(call))).giving(Gives::Any),
    ]
};
