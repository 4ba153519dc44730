//! One core's connections: accepting them, keeping count and sweeping them.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use slab::Slab;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::{Connection, Http, Protocol};
use super::gauge::{Age, Gauge};
use super::tls;
use super::wire::Wire;
use super::{Entrance, Service};
use crate::shutdown::Shutdown;

/// Connections age in steps of this.
const SECOND: Duration = Duration::from_secs(1);

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The pause after the first failed accept; it doubles with each further one. Longer ones would only make a shortage
/// of file descriptors, which ends as connections end, last longer.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(64);

/// The connections of one core.
pub(super) struct Core<S> {
    service: Rc<S>,
    entrance: Entrance,
    http: Http,
    open: RefCell<Slab<Rc<Connection>>>,
    room: Arc<Semaphore>,
    shutdown: Shutdown,
}

impl<S: Service> Core<S> {
    /// A core that serves `capacity` connections at once. Must be called within its `LocalSet`.
    pub(super) fn start(service: Rc<S>, capacity: usize, entrance: Entrance, shutdown: Shutdown) -> Rc<Self> {
        let core = Rc::new(Self {
            service,
            entrance,
            http: Http::new(entrance),
            open: RefCell::default(),
            room: Arc::new(Semaphore::new(capacity)),
            shutdown,
        });
        tokio::task::spawn_local(Rc::clone(&core).keep_sweeping());
        tokio::task::spawn_local(Rc::clone(&core).stop_in_two_steps());
        core
    }

    /// Accepts from a socket until the soft stop.
    pub(super) fn serve(self: &Rc<Self>, socket: StdListener, tls: Option<tls::Acceptor>) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(self.shutdown.tasks().track_future(async move {
            match TcpListener::from_std(socket) {
                Ok(listener) => core.accept(listener, tls).await,
                Err(error) => tracing::error!(%error, "A socket cannot be served"),
            }
        }));
    }

    /// Fails for no client's sake: errors of one connection are skipped, and a shortage of file descriptors or memory
    /// is waited out.
    async fn accept(self: Rc<Self>, listener: TcpListener, tls: Option<tls::Acceptor>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.soft() => break,
                accepted = self.accept_one(&listener) => accepted,
            };
            match accepted {
                Ok((stream, peer, room)) => {
                    pause = FIRST_PAUSE;
                    self.spawn(stream, peer, tls.clone(), room);
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "Accepting a connection failed");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        // Closing the socket resets what still waits in its queue; take it first.
        while let Some((stream, peer)) = waiting(&listener).await {
            let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
                return;
            };
            self.spawn(stream, peer, tls.clone(), room);
        }
    }

    /// The next connection, once there is room for it.
    async fn accept_one(
        &self,
        listener: &TcpListener,
    ) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let room = Arc::clone(&self.room)
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, peer) = listener.accept().await?;
        Ok((stream, peer, room))
    }

    fn spawn(
        self: &Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        tls: Option<tls::Acceptor>,
        room: OwnedSemaphorePermit,
    ) {
        let core = Rc::clone(self);
        tokio::task::spawn_local(self.shutdown.tasks().track_future(async move {
            let _room = room;
            if let Err(error) = core.greet(stream, peer, tls).await {
                tracing::debug!(%error, "A connection did not come about");
            }
        }));
    }

    async fn greet(&self, stream: TcpStream, peer: SocketAddr, tls: Option<tls::Acceptor>) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let Some(tls) = tls else {
            let connection = Connection::new(peer, local, Protocol::Http1).through(self.entrance);
            self.converse(stream, connection).await;
            return Ok(());
        };
        let handshake = tokio::time::timeout(HANDSHAKE, tls.accept(stream));
        let (stream, handshake) = tokio::select! {
            accepted = handshake => accepted.map_err(io::Error::other)??,
            () = self.shutdown.hard() => return Ok(()),
        };
        let (_, session) = stream.get_ref();
        let server_name = tls::server_name(session);
        let connection =
            Connection::new(peer, local, tls::protocol(session)).encrypted(server_name, handshake);
        self.converse(stream, connection).await;
        Ok(())
    }

    async fn converse<T>(&self, stream: T, connection: Connection)
    where
        T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        let connection = Rc::new(connection);
        let wire = Wire::new(stream, Arc::clone(connection.gauge()));
        let key = self.open.borrow_mut().insert(Rc::clone(&connection));
        if self.shutdown.started() {
            connection.serve_once();
        }
        self.http.serve(wire, &self.service, &connection).await;
        self.open.borrow_mut().remove(key);
    }

    async fn keep_sweeping(self: Rc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(SECOND) => {}
                () = self.shutdown.hard() => return,
            }
            for connection in self.all_open() {
                match Gauge::grow_older(connection.gauge()) {
                    Age::Fine => {}
                    Age::Retire => connection.retire(),
                    Age::Kill => connection.kill_switch().kill(),
                }
            }
        }
    }

    async fn stop_in_two_steps(self: Rc<Self>) {
        self.shutdown.soft().await;
        for connection in self.all_open() {
            connection.retire();
        }
        self.shutdown.hard().await;
        for connection in self.all_open() {
            connection.kill_switch().kill();
        }
    }

    /// A copy, since ending one may change the list.
    fn all_open(&self) -> Vec<Rc<Connection>> {
        self.open
            .borrow()
            .iter()
            .map(|(_, connection)| Rc::clone(connection))
            .collect()
    }
}

fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// A connection that waits already.
async fn waiting(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    std::future::poll_fn(|cx| {
        Poll::Ready(match listener.poll_accept(cx) {
            Poll::Ready(Ok(accepted)) => Some(accepted),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        })
    })
    .await
}
