//! What rules may ask about a request, found out from its connection and its head.

use http::HeaderMap;

use super::certificate::Misdirected;
use super::{Arrival, Shared};
use crate::model::country::CountryCode;
use crate::policy::RequestFacts;
use crate::proxy::request_headers::Client;
use crate::router::Target;
use crate::snapshot::Snapshot;
use crate::telemetry::request_id::RequestId;

impl Arrival {
    /// What policies may ask.
    ///
    /// # Errors
    /// [`Misdirected`] where a connection of the host's own would tell more.
    pub(super) fn facts(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        headers: &HeaderMap,
        target: &Target,
    ) -> Result<RequestFacts, Misdirected> {
        let now_ms = shared.clock.now_ms();
        Ok(RequestFacts {
            address: (!self.address_unreadable).then_some(self.address),
            country: self.country(shared, headers),
            certificate: self.handshake.certificate(snapshot, target.host(), now_ms)?,
            now_ms,
            ..RequestFacts::default()
        })
    }

    /// The country it comes from, where somebody tells.
    pub(super) fn country(&self, shared: &Shared, headers: &HeaderMap) -> Option<CountryCode> {
        let address = (!self.address_unreadable).then_some(self.address);
        shared.geo.country(address, headers, self.through_trusted_proxy)
    }

    /// What applications are told about the client.
    pub(super) fn client(&self, shared: &Shared, request_id: RequestId) -> Client {
        Client {
            address: self.address,
            https: self.https,
            through_trusted_proxy: self.through_trusted_proxy,
            believed_header: shared.geo.believed_header().cloned(),
            request_id: request_id.header(),
        }
    }
}
