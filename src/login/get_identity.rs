//! `GET /cdn-cgi/access/get-identity`: who the browser is, in JSON (reference Access §3.5).

use http::StatusCode;
use serde_json::json;

use super::answer::{Answer, json};
use super::call::Call;
use super::failure::Ended;
use super::identity_json;
use super::visit::Place;

/// Answers by the application token, and on the auth host by the organization token too.
///
/// An application token opens this on the auth host and nothing else there: applications forward the assertion they
/// received as a cookie, to learn groups.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let session = match call.visit.place {
        Place::AuthHost => match call.organization_session().await? {
            Some(session) => Some(session),
            None => call.application_session(|_| true).await?,
        },
        _ => {
            call.application_session(|application| call.is_on_this_host(application))
                .await?
        }
    };
    Ok(match session {
        Some(session) => {
            let identity = session.identity().identity.clone();
            json(
                StatusCode::OK,
                &identity_json::whole(&identity, &call.organization().account_id),
            )
        }
        // Status and word that Access's clients test for.
        None => json(StatusCode::BAD_REQUEST, &json!({"err": "no app token set"})),
    })
}
