//! What rules may ask about a request, found out from its connection and its head.

use std::sync::Arc;

use http::HeaderMap;

use super::certificate::Misdirected;
use super::{Arrival, Shared};
use crate::model::certificate::ClientCertificate;
use crate::model::country::CountryCode;
use crate::policy::RequestFacts;
use crate::proxy::request_headers::Client;
use crate::router::Target;
use crate::snapshot::{Asks, Snapshot};
use crate::telemetry::request_id::RequestId;

impl Arrival {
    /// What policies may ask. What they do not is left unknown.
    ///
    /// # Errors
    /// [`Misdirected`] where they ask for certificates, and a connection of the host's own would tell more.
    pub(super) fn facts(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        headers: &HeaderMap,
        target: &Target,
        asks: Asks,
    ) -> Result<RequestFacts, Misdirected> {
        let now_ms = shared.clock.now_ms();
        let certificate = self.handshake.certificate(snapshot, target.host(), now_ms);
        let country = if asks.country {
            self.country(shared, headers)
        } else {
            None
        };
        Ok(RequestFacts {
            address: (!self.address_unreadable).then_some(self.address),
            country,
            certificate: match certificate {
                Ok(certificate) => certificate,
                Err(Misdirected) if asks.certificate => return Err(Misdirected),
                Err(Misdirected) => ClientCertificate::Unknown,
            },
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
    pub(super) fn client(&self, shared: &Shared, snapshot: &Snapshot, request_id: RequestId) -> Client {
        Client {
            address: self.address,
            https: self.https,
            through_trusted_proxy: self.through_trusted_proxy,
            believed_header: shared.geo.believed_header().cloned(),
            credential_headers: Arc::clone(&snapshot.credential_headers),
            request_id: request_id.header(),
        }
    }
}
