//! Connections to one upstream that wait for the next request, on one core.
//!
//! Last in, first out: under little load the same few connections stay warm and the rest grow old and are closed.
//! No lock and no hashing: a core looks only into its own stack.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::body::RequestBody;

/// Connections kept idle for one upstream and core. Twice what a busy core has in flight; beyond it lies waste.
const IDLE_CAP: usize = 256;

/// How long a connection may wait. Under the 75 s of nginx and the 60 s of most load balancers, so that we, who know
/// whether a request is on its way, are usually the one who closes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// Idle connections to one upstream.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: RefCell<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
}

/// A connection: where requests go in, and the task that drives it. Dropping it closes the connection at once; the end
/// of the sender alone would let a request's body finish first.
#[derive(Debug)]
pub(super) struct Link {
    sender: SendRequest<RequestBody>,
    _task: AbortOnDrop,
}

/// A task that ends with its owner.
#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    /// `task` polls the connection of which `sender` is the near end.
    pub(super) fn new(sender: SendRequest<RequestBody>, task: AbortHandle) -> Self {
        Self {
            sender,
            _task: AbortOnDrop(task),
        }
    }

    fn is_free(&self) -> bool {
        self.sender.is_ready() && !self.sender.is_closed()
    }
}

impl Pool {
    /// The connection used last that is still open.
    pub(super) fn take(self: &Rc<Self>) -> Option<Lease> {
        let mut idle = self.idle.borrow_mut();
        while let Some(Idle { link, since }) = idle.pop() {
            let waited = since.elapsed();
            if waited > IDLE_TIMEOUT {
                // All below have waited longer.
                idle.clear();
                return None;
            }
            // Whatever came in meanwhile, an end or bytes that nobody asked for, has closed it.
            if link.is_free() {
                return Some(Lease {
                    link,
                    pool: Rc::clone(self),
                    waited: Some(waited),
                });
            }
        }
        None
    }

    /// A lease of a connection just made.
    pub(super) fn lease(self: &Rc<Self>, link: Link) -> Lease {
        Lease {
            link,
            pool: Rc::clone(self),
            waited: None,
        }
    }

    /// Closes what has waited too long.
    pub(super) fn prune(&self) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| idle.since.elapsed() <= IDLE_TIMEOUT && !idle.link.sender.is_closed());
    }

    fn put(&self, link: Link) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < IDLE_CAP {
            idle.push(Idle {
                link,
                since: Instant::now(),
            });
        }
    }
}

/// A connection in use. Dropping it closes the connection, whatever is on its way; only [`Lease::give_back`] keeps it.
#[derive(Debug)]
pub(super) struct Lease {
    link: Link,
    pool: Rc<Pool>,
    waited: Option<Duration>,
}

impl Lease {
    /// How long the connection was idle before; nothing for a new one.
    pub(super) fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// Sends a request and waits for the head of its response.
    pub(super) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<> {
        self.link.sender.try_send_request(request)
    }

    /// Keeps the connection for the next request, if the exchange is over in both directions. One whose request is
    /// not sent whole yet is closed: what follows could be taken for a part of it (RUSTSEC-2025-0037).
    pub(super) fn give_back(self) {
        if self.link.is_free() {
            self.pool.put(self.link);
        }
    }
}
