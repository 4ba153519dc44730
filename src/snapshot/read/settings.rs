//! Settings of an application that have a shape of their own.

use serde_json::Value;

use crate::model::application::{ClaimName, TokenGroups};
use crate::model::cors::{Cors, CorsMethod, CorsParts, MaxAge};
use crate::model::destination::Destination;
use crate::model::number;
use crate::model::public_path::{Overrides, PublicPath};

use super::object::{Object, asks_for_something};

/// `cors_headers`. What asks for nothing is as if it were not there.
pub(super) fn cors(object: &Object<'_>) -> Option<Cors> {
    let value = object.given("cors_headers")?;
    let cors = object.below(value, "/cors_headers")?;
    if !asks_for_something(value) {
        return None;
    }
    let all = |key| cors.flag(key).unwrap_or(false);
    let parts = CorsParts {
        all_origins: all("allow_all_origins"),
        origins: cors.list("allowed_origins"),
        all_methods: all("allow_all_methods"),
        methods: cors.list::<CorsMethod>("allowed_methods"),
        all_headers: all("allow_all_headers"),
        headers: cors.list("allowed_headers"),
        credentials: all("allow_credentials"),
        max_age: max_age(&cors),
    };
    if object.flag("options_preflight_bypass") == Some(true) {
        object.problem(
            "options_preflight_bypass",
            "it cannot stand with cors_headers: one of the two answers a preflight",
        );
    }
    match Cors::new(parts) {
        Ok(cors) => Some(cors),
        Err(contradiction) => {
            object.problem("cors_headers", contradiction.to_string());
            None
        }
    }
}

fn max_age(cors: &Object<'_>) -> Option<MaxAge> {
    let seconds = cors.given("max_age")?;
    let age = number::whole_signed(seconds).and_then(|seconds| MaxAge::try_from(seconds).ok());
    if age.is_none() {
        cors.problem("max_age", crate::model::cors::MaxAgeOutOfRange.to_string());
    }
    age
}

/// `overrides` of a destination: the paths of it that are public.
pub(super) fn overrides(
    object: &Object<'_>,
    item: &Value,
    pointer: &str,
    destination: &Destination,
) -> Option<Overrides> {
    let destination_object = object.below(item, pointer)?;
    let items = destination_object.items("overrides");
    if items.len() > PublicPath::MOST {
        destination_object.problem("overrides", format!("there are more than {}", PublicPath::MOST));
        return None;
    }
    let mut paths = Vec::new();
    for (place, item) in items {
        let Some(entry) = object.below(item, &place) else {
            continue;
        };
        if entry
            .needed_text("behavior")
            .is_some_and(|behavior| behavior != "public")
        {
            entry.problem("behavior", "only public is known");
        }
        let Some(path) = entry.needed::<PublicPath>("path_pattern") else {
            continue;
        };
        match path.is_below(destination) {
            Ok(()) => paths.push(path),
            Err(elsewhere) => entry.problem("path_pattern", elsewhere.to_string()),
        }
    }
    (!paths.is_empty()).then(|| Overrides {
        destination: destination.clone(),
        paths,
    })
}

/// `token_groups`, ours.
pub(super) fn token_groups(object: &Object<'_>) -> Option<TokenGroups> {
    match object.text("token_groups")? {
        "ids" => return Some(TokenGroups::Ids),
        "names" => return Some(TokenGroups::Names),
        _ => object.problem("token_groups", "one of ids and names is needed"),
    }
    None
}

/// `token_claims`, ours. The empty list leaves all claims out.
pub(super) fn token_claims(object: &Object<'_>) -> Option<Vec<ClaimName>> {
    object.given("token_claims")?;
    let claims: Vec<ClaimName> = object.list("token_claims");
    if claims.len() > ClaimName::MOST {
        object.problem("token_claims", format!("there are more than {}", ClaimName::MOST));
    }
    Some(claims)
}
