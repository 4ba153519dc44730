//! Tags, which applications are found by in the launcher; a tag is its name
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/tags/>).

use serde_json::{Value, json};
use uuid::Uuid;

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::Sizes;
use super::resource::{self, Around, Before, Resource, Shown, plain};
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

    /// Tags have their names for ids.
    fn id(call: &Call<'_>) -> Result<Uuid, ApiError> {
        Ok(id_of(&named_in_path(call)))
    }

    fn draft(_: &Call<'_>, taken: Taken, before: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        let draft = plain(taken);
        let problem = |reason: String| {
            vec![Problem {
                pointer: "/name".to_owned(),
                reason,
            }]
        };
        if before.is_some_and(|before| before.document.name != draft.name) {
            return Err(problem("a tag keeps its name; make another one".to_owned()));
        }
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

/// The id in the store, which follows from the name.
fn id_of(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("tag {name}").as_bytes())
}

/// How a slash in a parameter of a path stands once the path is decoded: else it would separate segments.
const SLASH: &str = "%2F";

fn named_in_path(call: &Call<'_>) -> String {
    call.params.get(Tags::PARAM).replace(SLASH, "/")
}

async fn create(call: &Call<'_>) -> Result<Answer, ApiError> {
    let body = call.object()?;
    let id = id_of(&resource::name_of(&body));
    resource::create_from::<Tags>(call, id, body).await
}

async fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    resource::delete::<Tags>(call).await?;
    Ok(Answer::of(json!({ "name": named_in_path(call) })))
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
        read,
        replaced,
        deleted.by(|call| Box::pin(delete(call))).giving(Gives::Any),
    ]
};
