//! Directory objects by id, authentication contexts, app registrations.

use serde_json::{Value, json};

use super::error::GraphRefusal;
use super::{GraphRequest, memberships, odata_context, paging, users};
use crate::clock::rfc3339;
use crate::directory::AppRegistration;
use crate::json::set;

/// Most ids `getByIds` takes.
/// <https://learn.microsoft.com/graph/api/directoryobject-getbyids>
const MOST_IDS: usize = 1_000;

/// `POST /directoryObjects/getByIds`
pub(super) fn by_ids(request: &GraphRequest<'_>) -> Result<Value, GraphRefusal> {
    request.caller.may_read_objects()?;
    let body = request.json()?;
    let ids = body
        .get("ids")
        .and_then(Value::as_array)
        .filter(|ids| ids.len() <= MOST_IDS);
    let Some(ids) = ids else {
        return Err(GraphRefusal::bad_request(format!(
            "'ids' has to list at most {MOST_IDS} ids."
        )));
    };
    let types = body.get("types").and_then(Value::as_array);
    let wanted = |kind: &str| types.is_none_or(|types| types.iter().any(|known| known == kind));
    let tenant = &request.caller.tenant;
    let mut found = Vec::new();
    for id in ids.iter().filter_map(Value::as_str) {
        if let Some(group) = tenant.groups.get(id).filter(|_| wanted("group")) {
            let mut entry = json!({ "@odata.type": "#microsoft.graph.group" });
            for name in ["id", "displayName", "securityEnabled"] {
                set(&mut entry, name, memberships::property(group, name)?);
            }
            found.push(entry);
        }
        if let Some(user) = tenant.by_oid(id).filter(|_| wanted("user")) {
            let mut entry = json!({ "@odata.type": "#microsoft.graph.user" });
            for name in ["id", "displayName", "userPrincipalName", "mail"] {
                set(&mut entry, name, users::property(user, name)?);
            }
            found.push(entry);
        }
    }
    Ok(json!({
        "@odata.context": odata_context(&request.context.base_url, "directoryObjects"),
        "value": found,
    }))
}

/// `GET /identity/conditionalAccess/authenticationContextClassReferences`
/// <https://learn.microsoft.com/graph/api/conditionalaccessroot-list-authenticationcontextclassreferences>
pub(super) fn contexts(request: &GraphRequest<'_>) -> Result<Value, GraphRefusal> {
    const PATH: &str = "identity/conditionalAccess/authenticationContextClassReferences";
    request.caller.may_read_policies()?;
    let contexts = request.caller.tenant.contexts.iter().map(|context| {
        json!({
            "id": context.id,
            "displayName": context.name,
            "description": context.description,
            "isAvailable": context.available,
        })
    });
    paging::page(request, PATH, contexts.collect())
}

/// `GET /applications(appId='…')`
/// <https://learn.microsoft.com/graph/api/application-get>
pub(super) fn application(request: &GraphRequest<'_>, segment: &str) -> Result<Value, GraphRefusal> {
    request.caller.may_read_apps()?;
    let id = segment
        .strip_prefix("applications(appId='")
        .and_then(|rest| rest.strip_suffix("')"));
    let id = id.ok_or_else(|| GraphRefusal::no_such_path(&[segment]))?;
    let app = request
        .caller
        .tenant
        .apps
        .get(id)
        .ok_or_else(|| GraphRefusal::not_found(id))?;
    let mut body = described(app);
    if let (Some(selected), Some(members)) = (request.params.find("$select"), body.as_object_mut()) {
        members.retain(|name, _| selected.split(',').any(|wanted| wanted.trim() == name));
    }
    set(
        &mut body,
        "@odata.context",
        odata_context(&request.context.base_url, "applications/$entity"),
    );
    Ok(body)
}

fn described(app: &AppRegistration) -> Value {
    let secrets = app.secrets.iter().map(|secret| {
        json!({
            "keyId": secret.key_id,
            "displayName": "secret",
            "hint": secret.value.chars().take(3).collect::<String>(),
            "endDateTime": secret.expires.map(rfc3339),
            "secretText": null,
        })
    });
    json!({
        "id": app.client_id,
        "appId": app.client_id,
        "displayName": app.name,
        "web": { "redirectUris": app.redirect_uris },
        "passwordCredentials": secrets.collect::<Vec<_>>(),
    })
}
