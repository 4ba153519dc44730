//! What an open stream depends on, asked again while it lasts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::certificate::Handshake;
use super::machine::Watched;
use crate::model::certificate::ClientCertificate;
use crate::model::ids::AppId;
use crate::policy::{Nature, RequestFacts, Verdict};
use crate::proxy::open_streams::{CutCause, Standing, Watch};
use crate::router::Target;
use crate::session::door::{self, Alone, Credentials};
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
    /// Whether the application asked for the binding cookie then.
    pub(super) bound: bool,
    /// What was asked for.
    pub(super) target: Target,
    /// Whether a browser asked what another site's script may do.
    pub(super) preflight: bool,
    /// Who asked; `None` where the permit was for anybody.
    pub(super) credential: Option<Rc<Credential>>,
    /// The service token that the policies were told of, until it is over.
    pub(super) machine: RefCell<Option<Watched>>,
    /// What kind of leave was given last.
    pub(super) nature: Cell<Nature>,
    /// The facts of the request; its certificate and its service token are looked at anew. Its country stays what it was,
    /// and unknown where nobody asked for it then.
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
const NOT_BOUND: CutCause = CutCause("binding_cookie");
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
        // What is open to everybody depends on nothing that the store could have changed. A machine may come without a
        // token, and is let in by a policy all the same.
        let relies_on_store = self.credential.is_some() || self.nature.get() != Nature::Bypass;
        if relies_on_store && self.grace.is_over(now_ms) {
            return Err(STORE_GONE);
        }
        if let Some(credential) = &self.credential {
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
        let token_over = self
            .machine
            .borrow()
            .as_ref()
            .is_some_and(|machine| machine.over(now_ms));
        let snapshot = self.published.borrow();
        let versions = Self::versions(&snapshot, self.credential.as_deref());
        let until_ms = self.certificate_until_ms.get().min(self.permit_until_ms.get());
        if versions == self.decided.get() && now_ms < until_ms && !token_over {
            return Ok(());
        }
        self.decide_again(&snapshot, now_ms)?;
        self.decided.set(versions);
        Ok(())
    }

    /// Asks what a new request with the same inputs would be answered.
    fn decide_again(&self, snapshot: &Snapshot, now_ms: i64) -> Result<(), CutCause> {
        let token_lost = self.loses_token(snapshot, now_ms);
        if token_lost && self.nature.get() == Nature::Service {
            // The application was told that it is this machine.
            return Err(SERVICE_TOKEN_OVER);
        }
        let application = snapshot.application(&self.target).map_err(|_| APPLICATION_GONE)?;
        if application.app.id != self.application {
            return Err(APPLICATION_GONE);
        }
        if application.app.enable_binding_cookie && !self.bound && self.credential.is_some() {
            return Err(NOT_BOUND);
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
            service_token: self.machine.borrow().as_ref().map(Watched::token),
            now_ms,
            ..self.facts.clone()
        };
        let cause = if token_lost {
            SERVICE_TOKEN_OVER
        } else {
            NO_LONGER_PERMITTED
        };
        let opening = application.opening(&self.target, self.preflight);
        if token_lost && opening.is_none() {
            let bad = Credentials::Bad { too_many: false };
            if matches!(door::alone(bad, snapshot, application, &facts), Alone::Bad) {
                return Err(cause);
            }
        }
        let Verdict::Permit(permit) = door::decide(application, opening, outcomes, &facts) else {
            return Err(cause);
        };
        // A stream that carries an identity may go on where everybody may, and not the other way round.
        if permit.nature() == Nature::Identity && self.credential.is_none() {
            return Err(cause);
        }
        self.nature.set(permit.nature());
        self.permit_until_ms.set(permit.until_ms().unwrap_or(i64::MAX));
        Ok(())
    }

    /// Whether the service token has come to its end since the last decision. From then on policies are told of none.
    fn loses_token(&self, snapshot: &Snapshot, now_ms: i64) -> bool {
        let stands = |machine: &Watched| machine.stands(snapshot, now_ms);
        let lost = !self.machine.borrow().as_ref().is_none_or(stands);
        if lost {
            self.machine.take();
        }
        lost
    }
}
