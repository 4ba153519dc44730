//! Signing out: `GET /cdn-cgi/access/logout` on any host ends this browser's session for every application at once.
//!
//! On an application's host `?scope=application`, which Access lacks, makes this browser's token for that one application
//! worthless and leaves the session: whoever opens the application again is let in by it.

use std::sync::Arc;

use url::Url;

use super::answer::{Answer, redirect, set_cookie};
use super::call::{Call, Shown, with_cookie_path};
use super::failure::{Ended, Why};
use super::return_path::ReturnPath;
use super::visit::Place;
use super::{bounce, record};
use crate::model::host::Host;
use crate::pages::person::{Back, Scope, SignedOut};
use crate::router::Found;
use crate::session::cookies;
use crate::session::table::{Cause, LiveSession};
use crate::store::{Ending, TokensOf};

/// Ends the session.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    if call.parts.method != http::Method::GET {
        return Err(Why::Method.into()); // HEAD changes nothing (RFC 9110 §9.2.1)
    }
    if !may_sign_out(&call.parts.headers) {
        return Err(Why::CrossSite.into());
    }
    if call.query.value("scope") == Some("application") && call.visit.place == Place::ApplicationHost {
        return of_application(call).await;
    }
    let session = if call.visit.place == Place::AuthHost {
        call.organization_session().await?
    } else {
        let here = call.renewable_session(|application| call.is_on_this_host(application));
        here.await?.map(|shown| shown.session)
    };
    if let Some(session) = &session {
        let ending = Ending::Session(session.nonce().clone());
        let identity = session.identity().identity.clone();
        call.login.revoker.revoke(ending, Cause::Logout).await?;
        record::signed_out(call, &identity).await;
    } else if call.visit.place == Place::ApplicationHost && is_navigation(&call.parts.headers) {
        // Its token was never fetched, is long over or does not come with this path: the auth host knows the browser.
        let mut answer = redirect(&logout_at_auth_host(call));
        remove_cookies(call, &mut answer);
        return Ok(answer);
    }
    let mut answer = signed_out(call, session.as_ref());
    remove_cookies(call, &mut answer);
    Ok(answer)
}

/// Ends what this browser holds for the application of this host, and nothing else.
async fn of_application(call: &Call<'_>) -> Result<Answer, Ended> {
    let here = call.renewable_session(|application| call.is_on_this_host(application));
    let shown = here.await?;
    if let Some(Shown { session, application }) = &shown {
        let of = TokensOf {
            aud: application.app.aud.clone(),
            session: Some(session.nonce().clone()),
        };
        call.login.revoker.revoke_application_tokens(&of).await?;
        let identity = session.identity().identity.clone();
        record::signed_out_of(call, &identity, &application.app).await;
    }
    let back = return_to(call);
    let mut answer = match (&back, &shown) {
        (Some(back), Some(_)) => redirect(&back.address),
        _ => call.page(&SignedOut {
            scope: shown.as_ref().map_or(Scope::Nothing, |shown| {
                Scope::Application(&shown.application.app.name)
            }),
            back: back.as_ref().map(ReturnTo::link),
            provider_sign_out: None,
        }),
    };
    match &shown {
        Some(shown) => {
            let app = with_cookie_path(&call.snapshot, &shown.application.app);
            for cookie in cookies::remove_application(&app, call.auth(), call.visit.target.host()) {
                set_cookie(&mut answer, Some(cookie));
            }
        }
        None => remove_cookies(call, &mut answer),
    }
    Ok(answer)
}

/// The page at the end of a sign-out at the provider.
pub(super) fn logged_out(call: &Call<'_>) -> Answer {
    call.page(&SignedOut {
        scope: Scope::Everything,
        back: None,
        provider_sign_out: None,
    })
}

/// Other sites may not sign people out: only what a person opened, and pages of the same origin (abuse case 45). Nor may
/// a browser that only fetches ahead what might be opened (`Sec-Purpose`, Fetch §2.2.5.1).
/// Browsers say which it is (Fetch Metadata §2); clients that do not are no browsers a foreign page could steer.
fn may_sign_out(headers: &http::HeaderMap) -> bool {
    let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if sent("sec-purpose").is_some_and(|purpose| purpose.starts_with("prefetch")) {
        return false;
    }
    match sent("sec-fetch-site") {
        None | Some("same-origin" | "none") => true,
        Some(_) => sent("sec-fetch-mode") == Some("navigate") && sent("sec-fetch-dest") == Some("document"),
    }
}

/// Whether the browser shows the answer to the person; scripts could follow no redirect to another origin.
fn is_navigation(headers: &http::HeaderMap) -> bool {
    headers
        .get("sec-fetch-mode")
        .is_none_or(|mode| mode == "navigate")
}

fn logout_at_auth_host(call: &Call<'_>) -> String {
    let address = call.auth().address("/cdn-cgi/access/logout");
    match call.query.value("returnTo") {
        Some(back) => {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("returnTo", back)
                .finish();
            format!("{address}?{query}")
        }
        None => address,
    }
}

fn signed_out(call: &Call<'_>, session: Option<&Arc<LiveSession>>) -> Answer {
    let back = return_to(call);
    let provider_sign_out = session.and_then(|session| provider_sign_out(call, session));
    if let Some(address) = provider_sign_out
        .as_ref()
        .filter(|_| call.organization().sign_out_at_provider)
    {
        return redirect(address.as_str());
    }
    if let (Some(back), Some(_)) = (&back, session) {
        return redirect(&back.address);
    }
    call.page(&SignedOut {
        scope: if session.is_some() {
            Scope::Everything
        } else {
            Scope::Nothing
        },
        back: back.as_ref().map(ReturnTo::link),
        provider_sign_out: provider_sign_out.as_ref().map(Url::as_str),
    })
}

/// The page after a sign-out that was asked for with a form, which may send the browser to no other site.
pub(super) fn farewell(call: &Call<'_>, session: &LiveSession, scope: Scope<'_>) -> Answer {
    let provider_sign_out = provider_sign_out(call, session);
    call.page(&SignedOut {
        scope,
        back: None,
        provider_sign_out: provider_sign_out.as_ref().map(Url::as_str),
    })
}

/// Where the person signs out at the provider too.
fn provider_sign_out(call: &Call<'_>, session: &LiveSession) -> Option<Url> {
    let provider = call.snapshot.providers.get(&session.provider())?;
    let after: Url = call.auth().address("/cdn-cgi/access/logged-out").parse().ok()?;
    let identity = session.identity().identity.clone();
    call.login
        .relying_party
        .end_session_url(provider, &after, identity.login_hint.as_deref())
}

/// Where a sign-out leads.
struct ReturnTo {
    name: String,
    address: String,
}

impl ReturnTo {
    fn link(&self) -> Back<'_> {
        Back {
            name: &self.name,
            href: &self.address,
        }
    }
}

/// `returnTo`, where it is allowed: on a host of one of our applications or the auth host, or one of the addresses that
/// the configuration names, compared whole.
fn return_to(call: &Call<'_>) -> Option<ReturnTo> {
    let asked = call.query.value("returnTo")?;
    let allowed = own_address(call, asked).or_else(|| listed_address(call, asked));
    if allowed.is_none() {
        let host = asked.parse::<Url>().ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default();
        tracing::warn!(
            request.id = %call.request_id,
            host,
            "A sign-out names a returnTo that is not allowed; the page stays here (organization.logout_return_to)"
        );
    }
    allowed
}

/// An address on a host of ours: taken apart and built anew (abuse case 60).
fn own_address(call: &Call<'_>, address: &str) -> Option<ReturnTo> {
    let auth = call.auth();
    let url: Url = address.parse().ok()?;
    let host: Host = url.host_str()?.parse().ok()?;
    let path = url.query().map_or_else(
        || url.path().to_owned(),
        |query| format!("{}?{query}", url.path()),
    );
    let path = ReturnPath::parse(&path).ok()?;
    let origin = auth.origin_of(&host);
    let same_origin = origin
        .parse::<Url>()
        .is_ok_and(|own| own.origin() == url.origin());
    let plain = url.username().is_empty() && url.password().is_none();
    let known = host == *auth.host() || !matches!(call.snapshot.routes.find(&host, path.path()), Found::None);
    (same_origin && plain && known).then(|| ReturnTo {
        name: host.to_string(),
        address: format!("{origin}{path}"),
    })
}

/// An address of the configuration: it is that one which is gone to, not the one that was asked for.
fn listed_address(call: &Call<'_>, address: &str) -> Option<ReturnTo> {
    let url: Url = address.parse().ok()?;
    let listed = call
        .organization()
        .logout_return_to
        .iter()
        .find(|listed| **listed == url)?;
    Some(ReturnTo {
        name: listed.host_str()?.to_owned(),
        address: listed.to_string(),
    })
}

pub(super) fn remove_cookies(call: &Call<'_>, answer: &mut Answer) {
    let auth = call.auth();
    if call.visit.place == Place::AuthHost {
        set_cookie(answer, cookies::remove_organization(auth));
        return;
    }
    for application in call.snapshot.applications.values() {
        if call.is_on_this_host(application) {
            let app = with_cookie_path(&call.snapshot, &application.app);
            let host = call.visit.target.host();
            for cookie in cookies::remove_application(&app, auth, host) {
                set_cookie(answer, Some(cookie));
            }
        }
    }
    set_cookie(answer, bounce::forget(auth));
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> bool {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        may_sign_out(&headers)
    }

    #[test]
    fn people_and_pages_of_the_same_origin_sign_out_and_other_sites_do_not() {
        assert!(asked(&[]));
        assert!(asked(&[
            ("sec-fetch-site", "none"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document")
        ]));
        assert!(asked(&[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-mode", "cors"),
            ("sec-fetch-dest", "empty")
        ]));
        assert!(asked(&[
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document")
        ]));
        for (mode, dest) in [
            ("no-cors", "image"),
            ("navigate", "iframe"),
            ("cors", "empty"),
            ("no-cors", "script"),
        ] {
            for site in ["cross-site", "same-site"] {
                assert!(
                    !asked(&[
                        ("sec-fetch-site", site),
                        ("sec-fetch-mode", mode),
                        ("sec-fetch-dest", dest)
                    ]),
                    "{site} {mode} {dest}"
                );
            }
        }
    }
}
