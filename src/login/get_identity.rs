//! `GET /cdn-cgi/access/get-identity`: who the browser is, in JSON.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, json};
use super::call::{Call, Shown};
use super::failure::Ended;
use super::visit::Place;
use crate::model::identity::Identity;
use crate::model::identity_json;
use crate::policy::{RequestFacts, Verdict};
use crate::session::service_auth::Proven;
use crate::session::table::LiveSession;
use crate::snapshot::ProtectedApplication;

/// Answers by the application token, and on the auth host by the organization token too.
///
/// An application token opens this on the auth host and nothing else there: applications forward the assertion they
/// received as a cookie, to learn groups.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let shown = if call.visit.place == Place::AuthHost {
        match call.organization_session().await? {
            Some(session) => Some((session, None)),
            None => of_application(call.application_session(|_| true).await?),
        }
    } else {
        let here = call.application_session(|application| call.is_on_this_host(application));
        of_application(here.await?)
    };
    Ok(match shown {
        Some((session, application)) => {
            let identity = session.identity().identity.clone();
            let mut whole = identity_json::whole(&identity, &call.organization().account_id);
            identity_json::tell_certificate(&mut whole, &call.visit.facts.certificate);
            let policy = application.and_then(|application| policy(call, &application, &identity));
            if let (Some(object), Some(policy)) = (whole.as_object_mut(), policy) {
                object.insert("policy".to_owned(), policy);
            }
            json(StatusCode::OK, &whole)
        }
        None => match machine(call) {
            Some(machine) => json(StatusCode::OK, &of_machine(call, &machine)),
            // Status and word that Access's clients test for.
            None => json(StatusCode::BAD_REQUEST, &json!({"err": "no app token set"})),
        },
    })
}

/// The machine whose JWT is shown: on an application's host one for an application there, on the auth host any.
fn machine(call: &Call<'_>) -> Option<Proven> {
    if call.visit.place == Place::AuthHost {
        call.service_token(|_| true)
    } else {
        call.service_token(|application| call.is_on_this_host(application))
    }
}

/// A machine has neither name nor address, only what it is called.
fn of_machine(call: &Call<'_>, machine: &Proven) -> Value {
    json!({
        "email": "",
        "name": "",
        "common_name": machine.client_id(),
        "service_token_id": machine.id(),
        "service_token_status": true,
        "auth_status": "NONE",
        "account_id": call.organization().account_id,
        "iat": call.login.clock.now_seconds(),
        "ip": call.visit.client.to_string(),
        "is_warp": false,
        "is_gateway": false,
        "version": 2,
    })
}

type Session = (Arc<LiveSession>, Option<Arc<ProtectedApplication>>);

fn of_application(shown: Option<Shown>) -> Option<Session> {
    shown.map(|shown| (shown.session, Some(shown.application)))
}

/// Ours: the policy that lets the person into the application now. On the auth host it is the application that asks,
/// from an address of its own, so rules about addresses are asked for where the person signed in.
fn policy(call: &Call<'_>, application: &ProtectedApplication, identity: &Identity) -> Option<Value> {
    let facts = match call.visit.place {
        Place::AuthHost => RequestFacts {
            address: Some(identity.address),
            country: identity
                .country
                .as_deref()
                .and_then(|country| country.parse().ok()),
            now_ms: call.now_ms(),
            ..RequestFacts::default()
        },
        _ => call.visit.facts(call.now_ms()),
    };
    let outcomes = application.policies.outcomes(identity);
    match application.policies.decide(Some(&outcomes), &facts) {
        Verdict::Permit(permit) => Some(json!({"id": permit.policy(), "name": permit.policy_name()})),
        Verdict::SignIn | Verdict::StepUp(_) | Verdict::Refuse(_) => None,
    }
}
