//! The gate as the service of a listener: what the connection knows, told to the gate.

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use ipnet::IpNet;

use super::{Abort, Connection, Entrance, Protocol, Service};
use super::{client_ip, forward_auth};
use crate::config::listen::Listen;
use crate::gate::certificate::Handshake;
use crate::gate::{Arrival, Gate};
use crate::pages::person::forbid_storing;
use crate::proxy::Body;
use crate::router::Via;

/// The gate of one core, behind its listener.
#[derive(Debug)]
pub struct Gatekeeper {
    gate: Gate,
    listen: Arc<Listen>,
}

impl Gatekeeper {
    /// The gate behind listeners of which the configuration says whom they believe.
    pub fn new(gate: Gate, listen: Arc<Listen>) -> Self {
        Self { gate, listen }
    }

    /// Answers a proxy that asks whether a request may pass.
    async fn verify(&self, mut request: Request<Incoming>, connection: &Connection) -> Response<Body> {
        let peer = connection.peer().ip();
        let Some(allowed) = &self.listen.forward_auth else {
            return forbidden();
        };
        if let Err(stranger) = forward_auth::knows(allowed, peer, request.headers()) {
            tracing::warn!(client.address = %peer, reason = %stranger, "Forward-auth refused a peer");
            return forbidden();
        }
        request.headers_mut().remove(forward_auth::SECRET);
        let arrival = Arrival {
            // What a trusted proxy vouches for beside its dialect's fields, the client may have written here.
            through_trusted_proxy: false,
            ..arrival(&request, connection, &allowed.peers)
        };
        self.gate.verify(request, &arrival).await
    }
}

impl Service for Gatekeeper {
    async fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> Result<Response<Body>, Abort> {
        if connection.entrance() == Entrance::ForwardAuth {
            return Ok(self.verify(request, &connection).await);
        }
        let arrival = arrival(&request, &connection, &self.listen.trusted_proxies);
        self.gate.answer(request, arrival).await.map_err(|_| Abort)
    }
}

fn arrival(request: &Request<Incoming>, connection: &Connection, trusted: &[IpNet]) -> Arrival {
    let client = client_ip::client(
        connection.peer().ip(),
        connection.is_tls(),
        request.headers(),
        trusted,
    );
    Arrival {
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
    }
}

/// Says nothing about why: who asks here without leave is no client.
fn forbidden() -> Response<Body> {
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::FORBIDDEN;
    forbid_storing(response.headers_mut());
    response
}
