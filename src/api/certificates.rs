//! Authorities of client certificates
//! (<https://developers.cloudflare.com/api/resources/zero_trust/subresources/access/subresources/certificates/>).

use std::future::ready;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::error::{ApiError, Unknown};
use super::five::Five;
use super::operation::{Gives, Operation};
use super::page::Sizes;
use super::resource::{self, Around, Resource, Shown, time};
use super::shape::{Shape, UnknownKeys, What, needed, optional, read_only};
use crate::crypto::x509;
use crate::model::permission::{Area, Permission};
use crate::snapshot::read::Problem;
use crate::store::{Document, Kind};

pub(super) const SHAPE: Shape = Shape {
    name: "Certificate",
    keys: &[
        read_only("id", What::Id),
        // Once they are there, a change may leave them out.
        needed("name", What::Text),
        optional("certificate", What::Text),
        optional("associated_hostnames", What::Texts),
        read_only("fingerprint", What::Text),
        read_only("expires_on", What::Time),
        read_only("read_only", What::Flag),
        read_only("created_at", What::Time),
        read_only("updated_at", What::Time),
    ],
    unknown: UnknownKeys::Refused,
};
const SETTING: Shape = Shape {
    name: "CertificateSetting",
    keys: &[
        needed("hostname", What::Text),
        optional("china_network", What::Flag),
        optional("client_certificate_forwarding", What::Flag),
    ],
    unknown: UnknownKeys::Refused,
};
const CHANGE: Shape = Shape {
    name: "CertificateSettings",
    keys: &[needed("settings", What::Objects(&SETTING))],
    unknown: UnknownKeys::Refused,
};

struct Certificates;

impl Resource for Certificates {
    const KIND: Kind = Kind::Certificate;
    const UNKNOWN: Unknown = Unknown::Certificate;
    const SHAPE: &'static Shape = &SHAPE;
    const SIZES: Sizes = Sizes {
        usual: 1000,
        most: 1000,
    };
    const PARAM: &'static str = "certificate_id";

    const STAY: &'static [&'static str] = &["name", "certificate"];

    fn present(_: &Around<'_>, document: &Document) -> Value {
        let pem = document.body.get("certificate").and_then(Value::as_str);
        let first = pem.and_then(|pem| x509::authorities(pem).ok()?.into_iter().next());
        let read = first.and_then(|der| x509::Certificate::read(&der).ok());
        let mut shown = Shown::begin(&["id"], document)
            .or("associated_hostnames", json!([]))
            .with("fingerprint", read.as_ref().map(|read| read.fingerprint.clone()))
            .with("expires_on", read.as_ref().map(|read| time(read.ends_ms)))
            .timed(document)
            .into_map();
        shown.shift_remove("certificate");
        Value::Object(shown)
    }
}

/// What is set for hosts: nothing but what is so anyway.
async fn settings(call: &Call<'_>) -> Result<Answer, ApiError> {
    let mut settings = Vec::new();
    for object in call.latest().await?.objects.of_kind(Kind::Certificate) {
        let body = object.body();
        let hostnames = body.get("associated_hostnames").and_then(Value::as_array);
        settings.extend(hostnames.into_iter().flatten().map(setting));
    }
    Ok(Answer::of(settings))
}

fn setting(hostname: &Value) -> Value {
    json!({ "hostname": hostname, "china_network": false, "client_certificate_forwarding": false })
}

/// Takes settings that change nothing.
fn change_settings(call: &Call<'_>) -> Result<Answer, ApiError> {
    let (taken, messages) = resource::take(call, &CHANGE, call.object()?)?;
    let Some(Value::Array(items)) = taken.body.get("settings") else {
        return Err(ApiError::invalid_at("/settings", "a list is needed"));
    };
    let mut shown = Vec::new();
    let mut problems = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let mut problem = |key: &str, reason: &str| {
            problems.push(Problem {
                pointer: format!("/settings/{index}{key}"),
                reason: reason.to_owned(),
            });
        };
        match item.get("hostname") {
            Some(hostname @ Value::String(_)) => shown.push(setting(hostname)),
            _ => problem("/hostname", "text is needed"),
        }
        for key in ["china_network", "client_certificate_forwarding"] {
            let off = |value: &Value| value.is_null() || *value == Value::Bool(false);
            if !item.get(key).is_none_or(off) {
                problem(&format!("/{key}"), "this version does not enforce it");
            }
        }
    }
    if !problems.is_empty() {
        return Err(ApiError::problems(&problems));
    }
    Ok(Answer::of(shown).saying(messages))
}

const READ: Permission = Permission::read(Area::Organization);
const WRITE: Permission = Permission::write(Area::Organization);
const ALL: &str = "/accounts/{account_id}/access/certificates";
const ONE: &str = "/accounts/{account_id}/access/certificates/{certificate_id}";
const SETTINGS: &str = "/accounts/{account_id}/access/certificates/settings";

pub(super) const OPERATIONS: &[Operation] = &{
    let [listed, made, read, replaced, deleted] = Five {
        paths: (ALL, ONE),
        area: Area::Organization,
        list: ("list_certificates", "List client authorities"),
        create: ("create_certificate", "Take client certificates of an authority"),
        get: ("get_certificate", "Read a client authority"),
        update: ("update_certificate", "Replace a client authority"),
        delete: ("delete_certificate", "Delete a client authority"),
    }
    .of::<Certificates>();
    [
        // Before the path with an id, which would take it for one.
        Operation::new(
            (&Method::GET, SETTINGS),
            READ,
            (
                "list_certificate_settings",
                "List the settings of hosts that take client certificates",
            ),
            Gives::Objects(&SETTING),
            |call| Box::pin(settings(call)),
        ),
        Operation::new(
            (&Method::PUT, SETTINGS),
            WRITE,
            (
                "update_certificate_settings",
                "Change the settings of hosts that take client certificates",
            ),
            Gives::Objects(&SETTING),
            |call| Box::pin(ready(change_settings(call))),
        )
        .taking(&CHANGE)
        .status(StatusCode::ACCEPTED),
        listed,
        made,
        read,
        replaced,
        deleted.status(StatusCode::OK),
    ]
};
