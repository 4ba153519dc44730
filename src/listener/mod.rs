//! Connections from clients: accept, TLS, HTTP, and the deadlines that keep slow ones from costing anything.
//!
//! One thread a core, each with a runtime, sockets and service of its own ([`start`]); the kernel deals new
//! connections out among the sockets of an address (`SO_REUSEPORT`). Nothing is shared between cores.
//!
//! The life of a connection: [`accept`](self) → TLS handshake and ALPN ([`tls`]) → HTTP/1.1 or HTTP/2 ([`Connection`])
//! → each request to the service. A stop has two steps: *soft* closes the sockets and lets open requests finish,
//! *hard* ends what is left.

mod accept;
pub mod client_ip;
mod connection;
mod framing;
mod gatekeeper;
mod gauge;
mod socket;
pub mod tls;
mod wire;

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::task::LocalSet;

pub use connection::{Abort, Connection, Protocol};
pub use gatekeeper::Gatekeeper;
pub use socket::{Bound, bind};

use crate::proxy::Body;
use crate::shutdown::Shutdown;
use crate::snapshot::Published;

/// Connections one core serves at once; more wait in the kernel. An idle one costs some 12 kB, so this bounds what a
/// flood can make of memory to about 200 MB a core.
const CONNECTIONS: usize = 16_384;

/// What answers requests; made once on each core, so it may keep what is not `Send`.
///
/// [`Abort`] answers nothing: the connection closes (HTTP/1.1) or the stream is reset (HTTP/2).
pub trait Service: 'static {
    /// Answers one request.
    fn answer(
        self: Rc<Self>,
        request: Request<Incoming>,
        connection: Rc<Connection>,
    ) -> impl Future<Output = Result<Response<Body>, Abort>>;
}

/// The addresses to serve.
#[derive(Debug)]
pub struct Sockets {
    /// Plain HTTP/1.1.
    pub http: Option<Bound>,
    /// TLS with HTTP/1.1 and HTTP/2.
    pub https: Option<(Bound, Arc<tls::Certificates>)>,
    /// Says which hosts take clients' certificates; none does where absent.
    pub published: Option<Arc<Published>>,
}

/// The threads that serve. They end with the hard step of the shutdown.
#[derive(Debug)]
pub struct Cores(Vec<JoinHandle<()>>);

impl Cores {
    /// Waits for all threads to end. Blocks.
    pub fn join(self) {
        for thread in self.0 {
            if thread.join().is_err() {
                tracing::error!("A core ended in a panic");
            }
        }
    }
}

/// Starts one thread for each socket that [`bind`] made. `make` runs on each of them, within its `LocalSet`.
///
/// # Errors
/// Where a thread, its runtime or the TLS settings cannot be made.
pub fn start<S: Service>(
    sockets: Sockets,
    shutdown: &Shutdown,
    make: impl Fn() -> S + Clone + Send + 'static,
) -> io::Result<Cores> {
    let tls = match &sockets.https {
        Some((_, certificates)) => {
            let acceptor = tls::Acceptor::new(Arc::clone(certificates), sockets.published.clone());
            Some(acceptor.map_err(io::Error::other)?)
        }
        None => None,
    };
    let mut http = sockets
        .http
        .map(Bound::into_sockets)
        .unwrap_or_default()
        .into_iter();
    let mut https = sockets
        .https
        .map(|(bound, _)| bound.into_sockets())
        .unwrap_or_default()
        .into_iter();
    let mut threads = Vec::new();
    loop {
        let (http, https) = (http.next(), https.next());
        if http.is_none() && https.is_none() {
            return Ok(Cores(threads));
        }
        let (tls, shutdown, make) = (tls.clone(), shutdown.clone(), make.clone());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let core = move || {
            let local = LocalSet::new();
            local.block_on(&runtime, async move {
                let core = accept::Core::start(make(), CONNECTIONS, shutdown.clone());
                if let Some(socket) = http {
                    core.serve(socket, None);
                }
                if let Some(socket) = https {
                    core.serve(socket, tls);
                }
                shutdown.hard().await;
                // Connections see the same signal; let them drop their sockets in order.
                tokio::task::yield_now().await;
            });
        };
        let name = format!("core-{}", threads.len());
        threads.push(std::thread::Builder::new().name(name).spawn(core)?);
    }
}
