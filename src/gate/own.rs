//! Which requests are the gateway's own to answer, though they may stand in an application's place.

use http::{HeaderMap, Method};

use crate::login::{metadata, protected_resource};
use crate::policy::RequestFacts;
use crate::router::Target;
use crate::snapshot::Snapshot;

/// What cloudflared adds to an application's address to learn whether its token is good.
const TOKEN_CHECK: &str = "cloudflared_token_check=true";

/// Whether the request is for one of the gateway's own addresses, which no application covers.
pub(super) fn is_own(snapshot: &Snapshot, target: &Target) -> bool {
    let organization = &snapshot.organization;
    target.is_reserved()
        || *target.host() == *organization.auth.host()
        || organization.transfer_host.as_ref() == Some(target.host())
}

/// Whether the request asks about an application rather than for something of it: by the header of [`metadata`], or for
/// the document of RFC 9728.
pub(super) fn asks_about_application(method: &Method, headers: &HeaderMap, target: &Target) -> bool {
    metadata::asks(method, headers) || protected_resource::asks_for_oauth(target.path())
}

/// Whether it is answered. Of an application that is open to everybody there is nothing to be told, and such a document
/// may be its own.
pub(super) fn is_told(snapshot: &Snapshot, target: &Target, facts: &RequestFacts) -> bool {
    let application = snapshot.application(target);
    application.is_ok_and(|application| !metadata::is_open(application, facts))
}

/// Whether a request that is let in only wanted to know that.
pub(super) fn is_token_check(method: &Method, target: &Target) -> bool {
    let query = target.query().filter(|_| *method == Method::GET);
    query.is_some_and(|query| query.split('&').any(|pair| pair == TOKEN_CHECK))
}
