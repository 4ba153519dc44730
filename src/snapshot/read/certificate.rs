//! Authorities of client certificates.

use serde_json::Value;

use crate::crypto::x509::authorities;
use crate::model::authority::Authority;
use crate::model::destination::Destination;
use crate::model::ids::AuthorityId;

use super::object::{Object, Problem, Problems};

/// Hosts of one object.
const MOST_HOSTNAMES: usize = 500;

/// Reads an authority of client certificates.
///
/// # Errors
/// Every problem found.
pub fn certificate(id: AuthorityId, body: &Value) -> Result<Authority, Vec<Problem>> {
    let problems = Problems::default();
    let authority = Object::new(body, "", &problems).and_then(|object| read(id, &object));
    problems.or_value(authority)
}

fn read(id: AuthorityId, object: &Object<'_>) -> Option<Authority> {
    let name = object.needed_text("name");
    let certificates = object.needed_text("certificate").and_then(|pem| {
        let read = authorities(pem);
        if let Err(reason) = &read {
            object.problem("certificate", reason.to_string());
        }
        read.ok()
    });
    let hostnames = object.list::<Destination>("associated_hostnames");
    if hostnames.len() > MOST_HOSTNAMES {
        object.problem(
            "associated_hostnames",
            format!("at most {MOST_HOSTNAMES} hosts are taken"),
        );
    }
    for hostname in hostnames.iter().filter(|hostname| !hostname.path().is_empty()) {
        object.problem(
            "associated_hostnames",
            format!("{hostname}: a host is needed, without a path: TLS knows no paths"),
        );
    }
    Some(Authority {
        id,
        name: name?.to_owned(),
        certificates: certificates?,
        hostnames,
    })
}
