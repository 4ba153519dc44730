//! Front-channel logout: `GET auth/cdn-cgi/access/frontchannel-logout?sid=…`, loaded by Microsoft's sign-out page in an
//! invisible frame (OpenID Connect Front-Channel Logout 1.0 §3).
//!
//! The frame is third-party, so no cookie of ours comes with it; the unguessable `sid` is the only credential. The
//! answer is the same whether it named a session or not.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::call::Call;
use super::failure::Ended;
use crate::model::idp::IdentityProvider;
use crate::pages::person::FrontChannel;
use crate::session::table::Cause;
use crate::store::Ending;

/// Microsoft's are UUIDs; anything much longer is no `sid`.
const MAX_SID: usize = 128;

/// Ends the sessions that belong to a session at the provider.
pub(super) async fn answer(call: &Call<'_>) -> Result<Answer, Ended> {
    let sid = call.query.value("sid").filter(|sid| sid.len() <= MAX_SID);
    for provider in asked_providers(call) {
        let Some(sid) = sid else { break };
        // Sessions here end before those at Microsoft, so that most name none. Everybody of an office comes from one
        // address: a right one always counts, and what names nothing costs one look into an index.
        if !call
            .login
            .store
            .is_provider_session_live(provider.id, sid)
            .await?
        {
            continue;
        }
        let ending = Ending::ProviderSession {
            provider: provider.id,
            sid: sid.to_owned(),
        };
        let ended = call.login.revoker.revoke(ending, Cause::ProviderLogout).await?;
        tracing::info!(request.id = %call.request_id, provider.id = %provider.id, sessions = ended, "Signed out at the identity provider");
    }
    let origins: BTreeSet<String> = call
        .snapshot
        .providers
        .values()
        .map(|provider| provider.entra.cloud.login.origin().ascii_serialization())
        .collect();
    let origins: Vec<String> = origins.into_iter().collect();
    Ok(call.page(&FrontChannel {
        provider_origin: &origins.join(" "),
    }))
}

/// Entra sends no `iss`; where one comes it must be the provider's.
fn asked_providers<'c>(call: &'c Call<'_>) -> impl Iterator<Item = &'c IdentityProvider> {
    let issuer = call.query.value("iss");
    let providers = call.snapshot.providers.values().map(|provider| &**provider);
    providers
        .filter(move |provider| issuer.is_none_or(|issuer| issuer == super::callback::issuer_of(provider)))
}
