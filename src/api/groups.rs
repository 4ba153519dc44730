//! Access groups (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/groups/>).

use serde_json::{Value, json};

use super::error::Unknown;
use super::five::Five;
use super::operation::Operation;
use super::page::Sizes;
use super::resource::{Around, Resource, Shown};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::model::permission::Area;
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

    fn present(_: &Around<'_>, document: &Document) -> Value {
        Shown::begin(&["id", "uid"], document)
            .or("require", json!([]))
            .or("exclude", json!([]))
            .timed(document)
            .into_value()
    }
}

const ALL: &str = "/accounts/{account_id}/access/groups";
const ONE: &str = "/accounts/{account_id}/access/groups/{group_id}";

pub(super) const OPERATIONS: &[Operation] = &Five {
    paths: (ALL, ONE),
    area: Area::Organization,
    list: ("list_groups", "List access groups"),
    create: ("create_group", "Make an access group"),
    get: ("get_group", "Read an access group"),
    update: ("update_group", "Replace an access group"),
    delete: ("delete_group", "Delete an access group that nothing names"),
}
.of::<Groups>();
