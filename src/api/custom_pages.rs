//! Pages of the operator's
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/custom_pages/>).

use serde_json::Value;

use super::error::Unknown;
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::Sizes;
use super::resource::{Around, Resource, Shown};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::model::ids::CustomPageId;
use crate::model::permission::Area;
use crate::store::{Document, Kind, Object};

/// The keys of a page, with those in front that only some answers have.
macro_rules! page_shape {
    ($name:literal, $($own:expr),*) => {
        Shape {
            name: $name,
            keys: &[
                read_only("id", What::Id),
                read_only("uid", What::Id),
                needed("name", What::Text),
                needed("type", What::Word(&["identity_denied", "forbidden"])),
                $($own,)*
                optional("contract_version", What::Number),
                read_only("app_count", What::Number),
                read_only("read_only", What::Flag),
                read_only("created_at", What::Time),
                read_only("updated_at", What::Time),
            ],
            unknown: UnknownKeys::Kept,
        }
    };
}

pub(super) const SHAPE: Shape = page_shape!("CustomPage", needed("custom_html", What::Text));
/// As it stands in the list.
const LISTED: Shape = page_shape!("CustomPageWithoutHtml",);

struct CustomPages;

impl Resource for CustomPages {
    const KIND: Kind = Kind::CustomPage;
    const UNKNOWN: Unknown = Unknown::CustomPage;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "custom_page_id";

    const LEFT_OUT: &'static [&'static str] = &["custom_html"];

    fn present(around: &Around<'_>, document: &Document) -> Value {
        Shown::begin(&["uid"], document)
            .with("app_count", around.uses().of_page(CustomPageId(document.id)))
            .timed(document)
            .into_value()
    }

    fn rests_on(around: &Around<'_>, object: &Object) -> u64 {
        around.uses().of_page(CustomPageId(object.id))
    }
}

const ALL: &str = "/accounts/{account_id}/access/custom_pages";
const ONE: &str = "/accounts/{account_id}/access/custom_pages/{custom_page_id}";

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Applications,
        list: ("list_custom_pages", "List custom pages"),
        create: ("create_custom_page", "Make a custom page"),
        get: ("get_custom_page", "Read a custom page"),
        update: ("update_custom_page", "Replace a custom page"),
        delete: ("delete_custom_page", "Delete a custom page that nothing shows"),
    }
    .of::<CustomPages>();
    [listed.giving(Gives::Page(&LISTED)), made, read, replaced, deleted]
};
