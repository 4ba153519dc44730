//! Reusable policies
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/policies/>).

use serde_json::{Map, Value, json};

use super::error::Unknown;
use super::five::Five;
use super::operation::Operation;
use super::page::Sizes;
use super::resource::{Around, Resource, Shown};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::model::ids::PolicyId;
use crate::model::permission::Area;
use crate::store::{Document, Kind, Object};

const APPROVAL_GROUP: Shape = Shape {
    name: "ApprovalGroup",
    keys: &[
        optional("approvals_needed", What::Number),
        optional("email_addresses", What::Texts),
        optional("email_list_uuid", What::Id),
    ],
    unknown: UnknownKeys::Refused,
};

/// The keys that policies have wherever they stand.
macro_rules! policy_shape {
    ($name:literal, $($own:expr),*) => {
        Shape {
            name: $name,
            keys: &[
                $($own,)*
                needed("name", What::Text),
                needed("decision", What::Word(&["allow", "deny", "bypass", "non_identity"])),
                needed("include", What::Rules),
                optional("require", What::Rules),
                optional("exclude", What::Rules),
                optional("session_duration", What::Text),
                optional("purpose_justification_required", What::Flag),
                optional("purpose_justification_prompt", What::Text),
                optional("approval_required", What::Flag),
                optional("approval_groups", What::Objects(&APPROVAL_GROUP)),
                optional("isolation_required", What::Any),
                optional("connection_rules", What::Any),
                optional("mfa_config", What::Any),
                read_only("uid", What::Id),
                read_only("account_id", What::Text),
                read_only("app_count", What::Number),
                read_only("reusable", What::Flag),
                read_only("read_only", What::Flag),
                read_only("created_at", What::Time),
                read_only("updated_at", What::Time),
            ],
            unknown: UnknownKeys::Refused,
        }
    };
}

/// A policy of its own.
pub(super) const SHAPE: Shape = policy_shape!(
    "Policy",
    read_only("id", What::Id),
    read_only("precedence", What::Number)
);

/// A policy as it stands in an application: a reference, or a policy of the application's own.
pub(super) const IN_APPLICATION: Shape = policy_shape!(
    "ApplicationPolicy",
    optional("id", What::Id),
    optional("precedence", What::Number)
);

/// How an application refers to a reusable policy.
pub(super) const LINK: Shape = Shape {
    name: "PolicyLink",
    keys: &[
        needed("id", What::Id),
        optional("precedence", What::Number),
        read_only("account_id", What::Text),
    ],
    unknown: UnknownKeys::Refused,
};

struct Policies;

impl Resource for Policies {
    const KIND: Kind = Kind::Policy;
    const UNKNOWN: Unknown = Unknown::Policy;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 100,
        most: 1000,
    };
    const PARAM: &'static str = "policy_id";

    fn present(around: &Around<'_>, document: &Document) -> Value {
        let account = around.snapshot.organization.account_id.as_str();
        let mut shown = reusable(document);
        shown.insert("account_id".to_owned(), account.into());
        let uses = around.uses().of_policy(PolicyId(document.id));
        shown.insert("app_count".to_owned(), uses.into());
        Value::Object(shown)
    }

    fn rests_on(around: &Around<'_>, object: &Object) -> u64 {
        around.uses().of_policy(PolicyId(object.id))
    }
}

/// A reusable policy as it is shown, wherever that is.
pub(super) fn reusable(document: &Document) -> Map<String, Value> {
    let shown = with_defaults(Shown::begin(&["id", "uid"], document));
    shown.with("reusable", true).timed(document).into_map()
}

/// What every policy has, as it was sent or as it counts.
pub(super) fn with_defaults(shown: Shown) -> Shown {
    shown.or("require", json!([])).or("exclude", json!([]))
}

const ALL: &str = "/accounts/{account_id}/access/policies";
const ONE: &str = "/accounts/{account_id}/access/policies/{policy_id}";

pub(super) const OPERATIONS: &[Operation] = &Five {
    paths: (ALL, ONE),
    area: Area::Applications,
    list: ("list_policies", "List reusable policies"),
    create: ("create_policy", "Make a reusable policy"),
    get: ("get_policy", "Read a reusable policy"),
    update: ("update_policy", "Replace a reusable policy"),
    delete: (
        "delete_policy",
        "Delete a reusable policy that no application uses",
    ),
}
.of::<Policies>();
