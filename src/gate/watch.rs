//! What an open stream depends on, asked again while it lasts.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::certificate::Handshake;
use super::machine::Watched;
use crate::model::certificate::ClientCertificate;
use crate::model::ids::AppId;
use crate::policy::{Nature, RequestFacts, Verdict};
use crate::proxy::open_streams::{CutCause, Standing, Watch};
use crate::router::Target;
use crate::session::grace::StoreGrace;
use crate::session::identify::Credential;
use crate::snapshot::{Published, Snapshot};

/// The inputs of one permit, kept for as long as what it permitted is under way.
#[derive(Debug)]
pub(super) struct Inputs {
    /// The configuration in force, whichever that is by then.
    pub(super) published: Arc<Published>,
    /// How long sessions go on without the store.
    pub(super) grace: StoreGrace,
    /// The application that was asked for.
    pub(super) application: AppId,
    /// What was asked for.
    pub(super) target: Target,
    /// Whether a browser asked what another site's script may do.
    pub(super) preflight: bool,
    /// Who asked; `None` where the permit was for anybody.
    pub(super) credential: Option<Rc<Credential>>,
    /// The service token that it was let in by.
    pub(super) machine: Option<Watched>,
    /// The facts of the request; its certificate is looked at anew. Its country stays what it was, and unknown where
    /// nobody asked for it then.
    pub(super) facts: RequestFacts,
    /// What the client presented.
    pub(super) handshake: Handshake,
    /// When the certificate that was decided by ends, milliseconds since 1970.
    pub(super) certificate_until_ms: Cell<i64>,
    /// When the permit ends by itself, milliseconds since 1970: approvers give leave for a time.
    pub(super) permit_until_ms: Cell<i64>,
    /// Snapshot and identity that the present decision was made under.
    pub(super) decided: Cell<(u64, u64)>,
}

/// The store has been away for longer than the grace.
const STORE_GONE: CutCause = CutCause("store_gone");
const TOKENS_REVOKED: CutCause = CutCause("tokens_revoked");
const TOKEN_EXPIRED: CutCause = CutCause("token_expired");
const APPLICATION_GONE: CutCause = CutCause("application_gone");
const SERVICE_TOKEN_OVER: CutCause = CutCause("service_token_over");
const KEY_OR_PROVIDER_WITHDRAWN: CutCause = CutCause("key_or_provider_withdrawn");
const NO_LONGER_PERMITTED: CutCause = CutCause("no_longer_permitted");

/// When a certificate ends; never, where none is counted on.
pub(super) fn end_of(certificate: &ClientCertificate) -> i64 {
    match certificate {
        ClientCertificate::Verified(verified) => verified.expires_ms,
        ClientCertificate::Unknown | ClientCertificate::Absent => i64::MAX,
    }
}

impl Watch for Inputs {
    fn check(&self, now_ms: i64) -> Standing {
        match self.standing(now_ms) {
            Ok(()) => Standing::Stands,
            Err(cause) => Standing::Cut(cause),
        }
    }

    fn moved(&self, now_ms: i64) {
        if let Some(credential) = &self.credential {
            credential.session.used(now_ms);
        }
    }
}

impl Inputs {
    /// The version pair of a decision made now.
    fn versions(snapshot: &Snapshot, credential: Option<&Credential>) -> (u64, u64) {
        (
            snapshot.version,
            credential.map_or(0, |credential| credential.session.identity().version),
        )
    }

    fn standing(&self, now_ms: i64) -> Result<(), CutCause> {
        if let Some(credential) = &self.credential {
            if self.grace.is_over(now_ms) {
                return Err(STORE_GONE);
            }
            if let Some(cause) = credential.session.over(now_ms) {
                return Err(CutCause(cause.word()));
            }
            if credential.revoked() {
                return Err(TOKENS_REVOKED);
            }
            if credential.expired(now_ms) {
                return Err(TOKEN_EXPIRED);
            }
        }
        if let Some(machine) = &self.machine {
            if self.grace.is_over(now_ms) {
                return Err(STORE_GONE);
            }
            if machine.over(now_ms) {
                return Err(SERVICE_TOKEN_OVER);
            }
        }
        let snapshot = self.published.borrow();
        let versions = Self::versions(&snapshot, self.credential.as_deref());
        let until_ms = self.certificate_until_ms.get().min(self.permit_until_ms.get());
        if versions == self.decided.get() && now_ms < until_ms {
            return Ok(());
        }
        let stands = |machine: &Watched| machine.stands(&snapshot, now_ms);
        if !self.machine.as_ref().is_none_or(stands) {
            return Err(SERVICE_TOKEN_OVER);
        }
        self.decide_again(&snapshot, now_ms)?;
        self.decided.set(versions);
        Ok(())
    }

    /// Asks what a new request with the same inputs would be answered.
    fn decide_again(&self, snapshot: &Snapshot, now_ms: i64) -> Result<(), CutCause> {
        let application = snapshot.application(&self.target).map_err(|_| APPLICATION_GONE)?;
        if application.app.id != self.application {
            return Err(APPLICATION_GONE);
        }
        let memo = self.credential.as_ref().map(|credential| {
            let fits = credential.verified.aud == application.app.aud;
            fits.then(|| credential.memo(snapshot, application))
        });
        let outcomes = match &memo {
            None => None,
            Some(Some(memo)) => Some(memo.outcomes.as_ref().ok_or(KEY_OR_PROVIDER_WITHDRAWN)?),
            Some(None) => return Err(APPLICATION_GONE),
        };
        let certificate = self
            .handshake
            .certificate(snapshot, self.target.host(), now_ms)
            // By now the host asks for certificates, and this connection was never asked: nothing is known.
            .unwrap_or_default();
        self.certificate_until_ms.set(end_of(&certificate));
        let facts = RequestFacts {
            certificate,
            now_ms,
            ..self.facts.clone()
        };
        let policies = application.policies_for(&self.target, self.preflight);
        match policies.decide(outcomes, &facts) {
            // A stream that carries an identity may go on where everybody may, and not the other way round.
            Verdict::Permit(permit) if permit.nature() != Nature::Identity || self.credential.is_some() => {
                self.permit_until_ms.set(permit.until_ms().unwrap_or(i64::MAX));
                Ok(())
            }
            _ => Err(NO_LONGER_PERMITTED),
        }
    }
}
