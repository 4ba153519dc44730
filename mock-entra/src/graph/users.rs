//! People: profile and revocation.
//!
//! <https://learn.microsoft.com/graph/api/user-get>

use serde_json::{Map, Value, json};

use super::bearer::Caller;
use super::error::GraphRefusal;
use super::{GraphRequest, odata_context};
use crate::directory::User;
use crate::json::set;
use crate::server::Context;

/// The properties a profile has without `$select`.
const DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// Properties that need more than the right to read names.
const PROTECTED: &[&str] = &["accountEnabled", "userType", "externalUserState"];

/// Whom a path means.
#[derive(Clone, Copy)]
pub(super) enum Who<'a> {
    /// `me`.
    Me,
    /// `users/{id or user principal name}`.
    Named(&'a str),
}

/// The person a path means.
pub(super) fn find(request: &GraphRequest<'_>, who: Who<'_>) -> Result<User, GraphRefusal> {
    let caller = &request.caller;
    let name = match who {
        Who::Named(name) => name,
        Who::Me => caller.oid().ok_or_else(|| {
            GraphRefusal::bad_request("/me request is only valid with delegated authentication flow.")
        })?,
    };
    let users = &caller.tenant.users;
    let found = users.iter().find(|user| {
        [&user.oid, &user.upn]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
    });
    found.cloned().ok_or_else(|| GraphRefusal::not_found(name))
}

/// `GET /me`, `GET /users/{id}`
pub(super) fn profile(request: &GraphRequest<'_>, person: &User) -> Result<Value, GraphRefusal> {
    let selected = request.params.find("$select");
    let names: Vec<&str> = selected.map_or_else(
        || DEFAULT.to_vec(),
        |names| names.split(',').map(str::trim).collect(),
    );
    let whole = names.iter().any(|name| PROTECTED.contains(name));
    request.caller.may_read_profile(person, whole)?;
    let of = selected.map_or_else(
        || "users/$entity".to_owned(),
        |names| format!("users({names})/$entity"),
    );
    let mut body = Map::new();
    body.insert(
        "@odata.context".to_owned(),
        odata_context(&request.context.base_url, &of),
    );
    for name in names {
        body.insert(name.to_owned(), property(person, name)?);
    }
    Ok(Value::Object(body))
}

/// `POST /users/{id}/revokeSignInSessions`
/// <https://learn.microsoft.com/graph/api/user-revokesigninsessions>
pub(super) fn revoke(request: &GraphRequest<'_>, person: &User) -> Result<Value, GraphRefusal> {
    request.caller.may_revoke()?;
    request.context.directory.revoke_if_known(&person.oid);
    Ok(json!({ "@odata.context": odata_context(&request.context.base_url, "Edm.Boolean"), "value": true }))
}

/// `GET /oidc/userinfo`
pub(super) fn userinfo(context: &Context, caller: &Caller) -> Result<Value, GraphRefusal> {
    let person = caller.oid().and_then(|oid| caller.tenant.by_oid(oid));
    let app = context.directory.app_in(Some(&caller.tenant), caller.client_id());
    let (Some(person), Some(app)) = (person, app) else {
        return Err(GraphRefusal::not_found(caller.oid().unwrap_or("me")));
    };
    let mut body = json!({
        "sub": crate::id_token::pairwise_subject(&caller.tenant, &app, person),
        "name": person.name,
        "family_name": person.surname,
        "given_name": person.given_name,
        "picture": format!("{}/v1.0/me/photo/$value", context.base_url),
    });
    if let Some(mail) = &person.mail {
        set(&mut body, "email", json!(mail));
    }
    Ok(body)
}

/// One property of a person, by Graph's name.
pub(super) fn property(person: &User, name: &str) -> Result<Value, GraphRefusal> {
    Ok(match name {
        "id" => json!(person.oid),
        "displayName" => json!(person.name),
        "givenName" => json!(person.given_name),
        "surname" => json!(person.surname),
        "userPrincipalName" => json!(person.upn),
        "mail" => json!(person.mail),
        "accountEnabled" => json!(person.enabled),
        "userType" => json!(if person.guest { "Guest" } else { "Member" }),
        "externalUserState" => json!(person.guest.then_some("Accepted")),
        "otherMails" => json!(person.other_mails),
        "businessPhones" => json!([]),
        "jobTitle" | "mobilePhone" | "officeLocation" | "preferredLanguage" => Value::Null,
        other => {
            let message =
                format!("Could not find a property named '{other}' on type 'microsoft.graph.user'.");
            return Err(GraphRefusal::bad_request(message));
        }
    })
}
