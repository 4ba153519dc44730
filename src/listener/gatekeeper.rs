//! The gate as the service of a listener: what the connection knows, told to the gate.

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;
use ipnet::IpNet;

use super::client_ip;
use super::{Abort, Connection, Protocol, Service};
use crate::gate::certificate::Handshake;
use crate::gate::{Arrival, Gate};
use crate::proxy::Body;
use crate::router::Via;

/// The gate of one core, behind its listener.
#[derive(Debug)]
pub struct Gatekeeper {
    gate: Gate,
    trusted_proxies: Arc<[IpNet]>,
}

impl Gatekeeper {
    /// The gate behind a listener that believes the forwarding headers of these peers.
    pub fn new(gate: Gate, trusted_proxies: Arc<[IpNet]>) -> Self {
        Self {
            gate,
            trusted_proxies,
        }
    }
}

impl Service for Gatekeeper {
    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> Result<Response<Body>, Abort> {
        let client = client_ip::client(
            connection.peer().ip(),
            connection.is_tls(),
            request.headers(),
            &self.trusted_proxies,
        );
        let arrival = Arrival {
            address: client.address,
            address_unreadable: client.unreadable,
            through_trusted_proxy: client.through_trusted_proxy,
            https: client.https,
            via: match connection.protocol() {
                Protocol::Http1 => Via::Http1,
                Protocol::Http2 => Via::Http2,
            },
            // Behind a proxy the certificate would be the proxy's.
            handshake: if client.through_trusted_proxy {
                Handshake::Elsewhere
            } else {
                connection.handshake().clone()
            },
            kill: connection.kill_switch().clone(),
        };
        self.gate.answer(request, arrival).await.map_err(|_| Abort)
    }
}
