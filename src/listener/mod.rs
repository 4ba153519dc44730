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
mod forward_auth;
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

/// The same for proxies that ask: each has a pool of some dozens, and a flood of clients must not take its place.
const ASKING_CONNECTIONS: usize = 4_096;

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
    /// Plain HTTP/1.1 for proxies that ask whether a request may pass.
    pub forward_auth: Option<Bound>,
}

/// Which kind of address a connection came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// One for clients.
    Public,
    /// The one for proxies that ask whether a request may pass.
    ForwardAuth,
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
    let one_a_core = |bound: Option<Bound>| bound.map(Bound::into_sockets).unwrap_or_default().into_iter();
    let mut http = one_a_core(sockets.http);
    let mut https = one_a_core(sockets.https.map(|(bound, _)| bound));
    let mut forward_auth = one_a_core(sockets.forward_auth);
    let mut threads = Vec::new();
    loop {
        let (http, https, asking) = (http.next(), https.next(), forward_auth.next());
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
                let service = Rc::new(make());
                let start = |capacity, entrance| {
                    accept::Core::start(Rc::clone(&service), capacity, entrance, shutdown.clone())
                };
                let core = start(CONNECTIONS, Entrance::Public);
                if let Some(socket) = http {
                    core.serve(socket, None);
                }
                if let Some(socket) = https {
                    core.serve(socket, tls);
                }
                if let Some(socket) = asking {
                    start(ASKING_CONNECTIONS, Entrance::ForwardAuth).serve(socket, None);
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
