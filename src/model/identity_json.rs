//! An identity in the shape of Access: `get-identity`, and the `identity` of organization tokens.

use serde_json::{Map, Value, json};

use super::certificate::ClientCertificate;
use super::identity::{Group, Groups, Identity};
use super::ids::AccountId;

/// The whole identity.
pub fn whole(identity: &Identity, account: &AccountId) -> Value {
    let mut object = brief(identity, account);
    object.insert("groups".to_owned(), groups(&identity.groups));
    if let Groups::Unknown { .. } = identity.groups {
        // Ours: an application that reads groups should know that some may be missing.
        object.insert("groups_incomplete".to_owned(), true.into());
    }
    object.insert("oidc_fields".to_owned(), Value::Object(identity.claims.clone()));
    object.insert("device_sessions".to_owned(), json!({}));
    object.insert("devicePosture".to_owned(), json!({}));
    Value::Object(object)
}

/// What the browser's connection says of its certificate (Access: `mtls_auth`).
pub fn tell_certificate(whole: &mut Value, certificate: &ClientCertificate) {
    let (ClientCertificate::Verified(verified), Value::Object(object)) = (certificate, whole) else {
        return;
    };
    let common_name = verified.common_name.as_deref().unwrap_or_default();
    object.insert("common_name".to_owned(), common_name.into());
    object.insert("auth_status".to_owned(), "SUCCESS".into());
    object.insert(
        "mtls_auth".to_owned(),
        json!({
            "cert_issuer_dn": verified.issuer,
            "cert_serial": verified.serial,
            "cert_issuer_ski": verified.issuer_key,
            "cert_presented": true,
            "auth_status": "SUCCESS",
        }),
    );
}

/// Without what can grow: groups and copied claims belong to the session, not into a cookie.
pub fn brief(identity: &Identity, account: &AccountId) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    put("id", identity.person.object.to_string().into());
    put("name", identity.name.clone().unwrap_or_default().into());
    put("email", address(identity).into());
    if let Some(name) = &identity.given_name {
        put("givenName", name.clone().into());
    }
    if let Some(name) = &identity.family_name {
        put("surName", name.clone().into());
    }
    put("amr", json!(identity.amr));
    put("idp", json!({"id": identity.provider, "type": "azureAD"}));
    put(
        "geo",
        json!({"country": identity.country.as_deref().unwrap_or_default()}),
    );
    put("user_uuid", identity.user.to_string().into());
    put("account_id", account.as_str().into());
    put("iat", identity.at.as_second().into());
    put("ip", identity.address.to_string().into());
    // What Access tells of devices, certificates and service tokens: a session is of a person and has none of them.
    put("auth_status", "NONE".into());
    put("common_name", "".into());
    put("service_token_id", "".into());
    put("service_token_status", false.into());
    put("is_warp", false.into());
    put("is_gateway", false.into());
    put("device_id", "".into());
    put(
        "mtls_auth",
        json!({"cert_issuer_dn": "", "cert_serial": "", "cert_issuer_ski": "", "cert_presented": false, "auth_status": "NONE"}),
    );
    put("version", 2.into());
    object
}

/// The address as tokens and headers carry it; empty where the directory gave none.
pub fn address(identity: &Identity) -> &str {
    identity.email.as_ref().map_or("", |email| email.address.as_str())
}

fn groups(groups: &Groups) -> Value {
    let group = |group: &Group| match &group.name {
        Some(name) => json!({"id": group.id, "name": name}),
        None => json!({"id": group.id}),
    };
    groups.held().iter().map(group).collect()
}
