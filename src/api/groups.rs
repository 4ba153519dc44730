//! Access groups (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/groups/>).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::Call;
use super::error::Unknown;
use super::operation::{Gives, Operation};
use super::page::Sizes;
use super::resource::{self, Around, Before, Resource, Shown, plain};
use super::shape::{Shape, Taken, UnknownKeys, What, needed, optional, read_only};
use crate::manage::Draft;
use crate::model::permission::{Area, Permission};
use crate::snapshot::read::Problem;
use crate::store::{Document, Kind};

pub(super) const SHAPE: Shape = Shape {
    name: "Group",
    keys: &[
        read_only("id", What::Id),
        read_only("uid", What::Id),
        needed("name", What::Text),
        needed("include", What::Rules),
        optional("require", What::Rules),
        optional("exclude", What::Rules),
        optional("is_default", What::Flag),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};

struct Groups;

impl Resource for Groups {
    const KIND: Kind = Kind::Group;
    const UNKNOWN: Unknown = Unknown::Group;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "group_id";

    fn draft(_: &Call<'_>, taken: Taken, _: Option<Before<'_>>) -> Result<Draft, Vec<Problem>> {
        Ok(plain(taken))
    }

    fn present(_: &Around<'_>, document: &Document) -> Value {
        Shown::begin(&["id", "uid"], document)
            .or("require", json!([]))
            .or("exclude", json!([]))
            .timed(document)
            .into_value()
    }
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const ALL: &str = "/accounts/{account_id}/access/groups";
const ONE: &str = "/accounts/{account_id}/access/groups/{group_id}";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(
        (&Method::GET, ALL),
        READ,
        ("list_groups", "List access groups"),
        Gives::Page(&SHAPE),
        |call| Box::pin(resource::list::<Groups>(call)),
    )
    .asked(super::page::NAMED),
    Operation::new(
        (&Method::POST, ALL),
        WRITE,
        ("create_group", "Make an access group"),
        Gives::Object(&SHAPE),
        |call| Box::pin(resource::create::<Groups>(call)),
    )
    .taking(&SHAPE)
    .status(StatusCode::CREATED),
    Operation::new(
        (&Method::GET, ONE),
        READ,
        ("get_group", "Read an access group"),
        Gives::Object(&SHAPE),
        |call| Box::pin(resource::get::<Groups>(call)),
    ),
    Operation::new(
        (&Method::PUT, ONE),
        WRITE,
        ("update_group", "Replace an access group"),
        Gives::Object(&SHAPE),
        |call| Box::pin(resource::update::<Groups>(call)),
    )
    .taking(&SHAPE),
    Operation::new(
        (&Method::DELETE, ONE),
        WRITE,
        ("delete_group", "Delete an access group that nothing names"),
        Gives::Id,
        |call| Box::pin(resource::delete::<Groups>(call)),
    )
    .status(StatusCode::ACCEPTED),
];
