//! The answer to the application: a redirect, or a page that posts it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::aadsts::Refusal;
use crate::pages;

/// How the parameters travel (`response_mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// In the query: the default of the code flow.
    Query,
    /// In the fragment.
    Fragment,
    /// In the body of a form that posts itself.
    FormPost,
}

/// A registered redirect address and how to answer there.
#[derive(Debug, Clone)]
pub(crate) struct ReplyTo {
    /// The address, exactly as registered.
    pub(crate) redirect_uri: String,
    /// How parameters travel.
    pub(crate) mode: Mode,
    /// The request's `state`, returned unchanged.
    pub(crate) state: Option<String>,
}

impl ReplyTo {
    /// Delivers a code.
    pub(crate) fn code(&self, code: &str, sid: &str) -> Response {
        self.send(vec![("code", code.to_owned())], Some(sid))
    }

    /// Delivers a refusal.
    pub(crate) fn refusal(&self, refusal: &Refusal, now: i64, base_url: &str) -> Response {
        let mut fields = vec![
            ("error", refusal.authorize_error().to_owned()),
            ("error_description", refusal.description(now)),
            ("error_uri", format!("{base_url}/error?code={}", refusal.code)),
        ];
        if refusal.code == 65004 {
            fields.push(("error_subcode", "cancel".to_owned()));
        }
        self.send(fields, None)
    }

    /// Says that the person left the sign-in page by *Cancel*; Microsoft sends no AADSTS code then.
    pub(crate) fn cancelled(&self) -> Response {
        let fields = vec![
            ("error", "access_denied".to_owned()),
            (
                "error_description",
                "the user canceled the authentication".to_owned(),
            ),
            ("error_subcode", "cancel".to_owned()),
        ];
        self.send(fields, None)
    }

    fn send(&self, mut fields: Vec<(&'static str, String)>, sid: Option<&str>) -> Response {
        if let Some(state) = &self.state {
            fields.push(("state", state.clone()));
        }
        if let Some(sid) = sid {
            fields.push(("session_state", sid.to_owned()));
        }
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&fields)
            .finish();
        match self.mode {
            Mode::FormPost => pages::form_post(&self.redirect_uri, &fields),
            Mode::Fragment => redirect(&format!("{}#{encoded}", self.redirect_uri)),
            Mode::Query => {
                let joint = if self.redirect_uri.contains('?') { '&' } else { '?' };
                // Microsoft ends the address with an empty fragment, so that none of the request's is inherited.
                redirect(&format!("{}{joint}{encoded}#", self.redirect_uri))
            }
        }
    }
}

/// `302 Found`: what Microsoft answers, also to the sign-in form's POST.
pub(crate) fn redirect(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = [
                (header::LOCATION, location),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            ];
            (StatusCode::FOUND, headers).into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}
