//! What is written down of a refusal, where it gets a row of its own ([`crate::gate::written`]).

use crate::gate::written::{More, Sort, Who};
use crate::model::identity::Identity;
use crate::model::identity_json;
use crate::model::ids::ServiceTokenId;
use crate::policy::Explanation;
use crate::session::limits::Prefix;
use crate::store::{AccessRequest, NON_IDENTITY};

use super::AskedOf;

impl AskedOf<'_> {
    /// Whether a refusal by policy gets a row of its own, and what that says besides. Whoever proves nothing gets none.
    pub(super) fn row_is_due_of(&self, person: Option<&Identity>, reason: &'static str) -> Option<More> {
        let person = person.map(|identity| Who::Person(identity.user));
        let machine = self.facts.service_token.map(Who::Machine);
        person.or(machine).and_then(|who| self.row_is_due(who, reason))
    }

    /// Writes down a refusal by policy.
    pub(super) fn write(
        &self,
        reason: &'static str,
        person: Option<&Identity>,
        explanation: &Explanation,
        more: More,
    ) {
        let token = self.facts.service_token;
        let token = token.map(|token| format!("{} · ", self.called(token)));
        let token = token.unwrap_or_default();
        let row = self.row(reason, format!("{token}{explanation}{more}"));
        self.asked.shared.refusals.write(match person {
            Some(identity) => of_person(row, identity),
            None => row,
        });
    }

    /// Writes down that a service token was shown that is not good, where it is time for a row.
    pub(super) fn write_stranger(&self, named: Option<ServiceTokenId>, reason: &'static str) {
        let who = Who::Stranger(Prefix::of(self.asked.address));
        let Some(more) = self.row_is_due(who, reason) else {
            return;
        };
        let named = match named {
            Some(token) => format!("{} was named", self.called(token)),
            None => "no service token that is known was named".to_owned(),
        };
        let row = self.row(reason, format!("{named}{more}"));
        self.asked.shared.refusals.write(row);
    }

    fn row_is_due(&self, who: Who, reason: &'static str) -> Option<More> {
        let sort = Sort {
            who,
            application: self.application.app.id,
            reason,
        };
        let shared = self.asked.shared;
        shared.refusals.due(sort, shared.clock.now_ms())
    }

    /// A service token as rows call it.
    fn called(&self, token: ServiceTokenId) -> String {
        match self.asked.snapshot.service_tokens.find(token) {
            Some(known) => format!("service token {} {token}", known.token.name),
            None => format!("service token {token}"),
        }
    }

    /// What is written down of a refusal of a machine.
    fn row(&self, reason: &str, explanation: String) -> AccessRequest {
        let app = &self.application.app;
        AccessRequest {
            request_id: self.asked.request_id.to_string(),
            at_ms: self.asked.shared.clock.now_ms(),
            action: "access".to_owned(),
            allowed: false,
            app: Some(app.id),
            app_domain: Some(self.target.host().to_string()),
            app_name: Some(app.name.clone()),
            provider: None,
            connection: NON_IDENTITY.to_owned(),
            user: None,
            email: None,
            address: self.asked.address,
            country: self.facts.country.map(String::from),
            reason: Some(reason.to_owned()),
            explanation: Some(explanation),
        }
    }
}

/// The same of a person who has signed in.
fn of_person(row: AccessRequest, identity: &Identity) -> AccessRequest {
    let address = identity_json::address(identity);
    AccessRequest {
        user: Some(identity.user),
        email: Some(address.to_owned()).filter(|address| !address.is_empty()),
        provider: Some(identity.provider),
        connection: "azureAD".to_owned(),
        ..row
    }
}
