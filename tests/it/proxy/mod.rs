//! Forwarding and the listener, over raw sockets: a client, the gateway's data plane, and a scripted upstream.

mod cutting;
mod framing;
mod gateway;
mod headers;
mod http2;
mod listening;
mod pooling;
mod streaming;
mod tls;
mod tunnels;
mod wire;
