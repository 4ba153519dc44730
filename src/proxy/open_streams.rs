//! What is in flight on one core, so that it ends when its session ends.
//!
//! A request is registered from the moment it is permitted until both of its bodies (or its tunnel) are done. One
//! sweeper a core asks every registered [`Watch`] five times a second whether it still stands; it never waits and
//! takes no lock that another core holds. What is cut ends in two steps:
//!
//! 1. Its owner is woken and finds the cut: a body yields an error (HTTP/1.1 connection closed, HTTP/2 stream reset),
//!    a tunnel closes both ways, a request still waiting for its answer gets none.
//! 2. An owner that cannot act, because its client reads nothing and so its body is never asked, holds its slot at the
//!    next sweep still: then its whole connection is killed.
//!
//! The same slots carry the deadlines of the exchange: a timer for each request would cost more than the sweep.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hashbrown::HashMap;
use slab::Slab;

use crate::clock::Clock;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// Between two sweeps. Cutting takes two at most, which keeps the promise of one second.
const SWEEP: Duration = Duration::from_millis(200);

/// What a stream depends on: the session, the token's expiry, the decision. Asked on every sweep, for every open
/// stream: an implementation reads a few atomics and neither blocks nor calls back into [`OpenStreams`].
pub trait Watch {
    /// Whether the stream may go on at `now_ms`, milliseconds since 1970.
    fn check(&self, now_ms: i64) -> Standing;

    /// Bytes have passed since the last sweep: the stream is in use.
    fn moved(&self, now_ms: i64);
}

/// The answer of a [`Watch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The stream may go on.
    Stands,
    /// The stream ends now.
    Cut(CutCause),
}

/// Why a stream was cut, in a word or two for the log and as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CutCause(pub &'static str);

impl fmt::Display for CutCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why an owner must give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The watch no longer stands.
    Cut(CutCause),
    /// The upstream took too long to answer.
    ResponseOverdue,
    /// The client took too long to send more of its body.
    RequestOverdue,
}

/// The streams open on one core.
#[derive(Debug)]
pub struct OpenStreams<W> {
    slots: Rc<Slots>,
    // By the key of the slot; an entry whose slot is gone is dropped at the next sweep.
    watches: RefCell<Vec<Option<(u64, W)>>>,
    serial: Cell<u64>,
    metrics: Arc<Metrics>,
}

impl<W: Watch> OpenStreams<W> {
    /// None open. What is cut is counted there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            slots: Rc::default(),
            watches: RefCell::default(),
            serial: Cell::new(0),
            metrics,
        }
    }

    /// Registers what is about to be sent on. `connection` is killed if the owner cannot act on a cut.
    pub fn register(&self, watch: W, connection: KillSwitch) -> Held {
        let serial = self.serial.get().wrapping_add(1);
        self.serial.set(serial);
        let key = self.slots.open.borrow_mut().insert(Slot {
            serial,
            holders: 1,
            stop: None,
            awaited: Awaited::Nothing,
            moved: false,
            wakers: [None, None],
            connection,
        });
        let mut watches = self.watches.borrow_mut();
        if watches.len() <= key {
            watches.resize_with(key + 1, || None);
        }
        if let Some(place) = watches.get_mut(key) {
            *place = Some((serial, watch));
        }
        Held {
            slots: Rc::clone(&self.slots),
            key,
            side: Side::Response,
        }
    }

    /// How many are open, for the metrics.
    pub fn count(&self) -> usize {
        self.slots.open.borrow().len()
    }

    /// Asks every open stream's watch, and wakes or kills those that are to end.
    pub fn sweep(&self, now_ms: i64, passed: Duration) {
        let coarse = self.slots.now.get().saturating_add(passed);
        self.slots.now.set(coarse);
        let mut woken: Vec<Waker> = Vec::new();
        let mut killed: Vec<KillSwitch> = Vec::new();
        let mut causes: HashMap<CutCause, u64> = HashMap::new();
        {
            let mut open = self.slots.open.borrow_mut();
            let mut watches = self.watches.borrow_mut();
            for (key, place) in watches.iter_mut().enumerate() {
                let Some((serial, watch)) = place else { continue };
                let Some(slot) = open.get_mut(key).filter(|slot| slot.serial == *serial) else {
                    *place = None;
                    continue;
                };
                if slot.stop.is_some() {
                    killed.push(slot.connection.clone());
                    continue;
                }
                if std::mem::take(&mut slot.moved) {
                    watch.moved(now_ms);
                }
                let stop = match watch.check(now_ms) {
                    Standing::Cut(cause) => {
                        *causes.entry(cause).or_default() += 1;
                        Some(Stop::Cut(cause))
                    }
                    Standing::Stands => slot.awaited.overdue(coarse),
                };
                if stop.is_some() {
                    slot.stop = stop;
                    woken.extend(slot.wakers.iter_mut().filter_map(Option::take));
                }
            }
        }
        // Outside of the borrows: a waker may run anything.
        woken.into_iter().for_each(Waker::wake);
        killed.iter().for_each(KillSwitch::kill);
        // Once a sweep, not once a stream: everybody's end at the same time.
        for (cause, streams) in causes {
            self.metrics.streams_cut(cause.0, streams);
            tracing::info!(%cause, streams, "Open streams were cut");
        }
    }

    /// Sweeps until the process ends. One task a core.
    pub async fn keep_sweeping(&self, clock: &Clock, shutdown: &Shutdown) {
        let mut before = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                () = shutdown.hard() => return,
            }
            let now = tokio::time::Instant::now();
            self.sweep(clock.now_ms(), now - before);
            before = now;
        }
    }
}

/// The part that owners reach, without the type of the watch: bodies carry it.
#[derive(Debug, Default)]
struct Slots {
    open: RefCell<Slab<Slot>>,
    /// Time since the first sweep, as of the last one.
    now: Cell<Duration>,
}

#[derive(Debug)]
struct Slot {
    serial: u64,
    holders: u8,
    stop: Option<Stop>,
    awaited: Awaited,
    /// Whether bytes have passed since the last sweep.
    moved: bool,
    wakers: [Option<Waker>; 2],
    connection: KillSwitch,
}

/// Whom the exchange waits for, and until when at most.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// No deadline has been set.
    Nothing,
    /// The upstream's response head.
    Response(Duration),
    /// More of the request's body.
    Request(Duration),
    /// The response has begun: from here on silence is the application's business (server-sent events, gRPC).
    Over,
}

impl Awaited {
    fn overdue(self, now: Duration) -> Option<Stop> {
        match self {
            Self::Response(until) if until < now => Some(Stop::ResponseOverdue),
            Self::Request(until) if until < now => Some(Stop::RequestOverdue),
            _ => None,
        }
    }
}

/// A place in [`OpenStreams`], given back when the last of its holders is dropped.
#[derive(Debug)]
pub struct Held {
    slots: Rc<Slots>,
    key: usize,
    side: Side,
}

/// Each side may be polled by a task of its own, so each has a waker.
#[derive(Debug, Clone, Copy)]
enum Side {
    Response = 0,
    Request = 1,
}

impl Held {
    /// The holder of the request's body, beside the one of the response.
    #[must_use]
    pub fn for_request_body(&self) -> Held {
        self.with(|slot| slot.holders += 1);
        Held {
            slots: Rc::clone(&self.slots),
            key: self.key,
            side: Side::Request,
        }
    }

    /// Ready once the owner must give up; until then the task is woken when that happens.
    pub fn poll_stop(&self, cx: &mut Context<'_>) -> Poll<Stop> {
        self.with(|slot| {
            if let Some(stop) = slot.stop {
                return Poll::Ready(stop);
            }
            let [response, request] = &mut slot.wakers;
            let place = match self.side {
                Side::Response => response,
                Side::Request => request,
            };
            match place {
                Some(waker) => waker.clone_from(cx.waker()),
                None => *place = Some(cx.waker().clone()),
            }
            Poll::Pending
        })
        .unwrap_or(Poll::Pending)
    }

    /// Bytes have passed.
    pub fn moved(&self) {
        self.with(|slot| slot.moved = true);
    }

    /// The upstream is to begin its response within `time`.
    pub fn await_response(&self, time: Duration) {
        let until = self.slots.now.get() + time + SWEEP;
        self.with(|slot| {
            if !matches!(slot.awaited, Awaited::Over) {
                slot.awaited = Awaited::Response(until);
            }
        });
    }

    /// The client is to send more of its body within `time`, unless it is waited for already.
    pub fn await_request(&self, time: Duration) {
        let until = self.slots.now.get() + time + SWEEP;
        self.with(|slot| {
            if matches!(slot.awaited, Awaited::Nothing | Awaited::Response(_)) {
                slot.awaited = Awaited::Request(until);
            }
        });
    }

    /// The response has begun: no deadline any more.
    pub fn response_began(&self) {
        self.with(|slot| slot.awaited = Awaited::Over);
    }

    fn with<R>(&self, f: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        // A holder's slot exists: it is removed with the last holder.
        self.slots.open.borrow_mut().get_mut(self.key).map(f)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let last = self.with(|slot| {
            slot.holders = slot.holders.saturating_sub(1);
            slot.holders == 0
        });
        if last == Some(true) {
            // Taken out of the borrow first: dropping a waker may run anything.
            let slot = self.slots.open.borrow_mut().try_remove(self.key);
            drop(slot);
        }
    }
}

/// Ends a client's connection at once, whatever it is doing. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct KillSwitch(Rc<Kill>);

#[derive(Debug, Default)]
struct Kill {
    killed: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl KillSwitch {
    /// For a connection that lives.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the connection.
    pub fn kill(&self) {
        self.0.killed.set(true);
        let waker = self.0.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready once the connection is to end. The task that drives the connection asks.
    pub fn poll_killed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.killed.get() {
            return Poll::Ready(());
        }
        let mut place = self.0.waker.borrow_mut();
        match place.as_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *place = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Clone)]
    struct Session(Rc<Cell<bool>>);

    impl Watch for Session {
        fn check(&self, _now_ms: i64) -> Standing {
            if self.0.get() {
                Standing::Stands
            } else {
                Standing::Cut(CutCause("logout"))
            }
        }

        fn moved(&self, _now_ms: i64) {}
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn open(alive: bool) -> (OpenStreams<Session>, Session, KillSwitch, Held) {
        let streams = OpenStreams::new(Arc::default());
        let session = Session(Rc::new(Cell::new(alive)));
        let connection = KillSwitch::new();
        let held = streams.register(session.clone(), connection.clone());
        (streams, session, connection, held)
    }

    #[test]
    fn both_owners_are_woken_by_the_sweep_after_the_session_ended() {
        let (streams, session, connection, held) = open(true);
        let upload = held.for_request_body();
        let (first, second) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let (first_waker, second_waker) = (first.clone().into(), second.clone().into());
        let mut first_cx = Context::from_waker(&first_waker);
        let mut second_cx = Context::from_waker(&second_waker);
        assert!(held.poll_stop(&mut first_cx).is_pending());
        assert!(upload.poll_stop(&mut second_cx).is_pending());
        streams.sweep(0, SWEEP);
        assert!(!first.0.load(Ordering::Relaxed));
        session.0.set(false);
        streams.sweep(0, SWEEP);
        assert!(first.0.load(Ordering::Relaxed) && second.0.load(Ordering::Relaxed));
        let cut = Poll::Ready(Stop::Cut(CutCause("logout")));
        assert_eq!(held.poll_stop(&mut first_cx), cut);
        assert_eq!(upload.poll_stop(&mut second_cx), cut);
        assert!(connection.poll_killed(&mut first_cx).is_pending());
    }

    #[test]
    fn an_owner_that_does_not_act_loses_its_connection() {
        let (streams, _session, connection, held) = open(false);
        streams.sweep(0, SWEEP);
        streams.sweep(0, SWEEP);
        assert!(
            connection
                .poll_killed(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
        drop(held);
    }

    #[test]
    fn an_owner_that_acts_keeps_its_connection() {
        let (streams, _session, connection, held) = open(false);
        streams.sweep(0, SWEEP);
        drop(held);
        streams.sweep(0, SWEEP);
        assert!(
            connection
                .poll_killed(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }

    #[test]
    fn a_slot_is_open_until_its_last_holder_is_gone() {
        let (streams, _session, _connection, held) = open(true);
        let upload = held.for_request_body();
        drop(held);
        assert_eq!(streams.count(), 1);
        drop(upload);
        assert_eq!(streams.count(), 0);
    }

    #[test]
    fn a_slot_used_again_does_not_inherit_the_watch_of_its_predecessor() {
        let (streams, _session, connection, held) = open(false);
        drop(held);
        let other = streams.register(Session(Rc::new(Cell::new(true))), connection);
        streams.sweep(0, SWEEP);
        assert!(
            other
                .poll_stop(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
    }

    #[test]
    fn deadlines_name_who_was_late_and_end_with_the_response() {
        let mut cx = Context::from_waker(Waker::noop());
        let (streams, _session, _connection, held) = open(true);
        held.await_response(Duration::from_mins(5));
        held.await_request(Duration::from_secs(1));
        streams.sweep(0, Duration::from_secs(2));
        assert_eq!(held.poll_stop(&mut cx), Poll::Ready(Stop::RequestOverdue));

        let (streams, _session, _connection, held) = open(true);
        held.await_response(Duration::from_secs(1));
        streams.sweep(0, Duration::from_secs(2));
        assert_eq!(held.poll_stop(&mut cx), Poll::Ready(Stop::ResponseOverdue));

        let (streams, _session, _connection, held) = open(true);
        held.await_response(Duration::from_secs(1));
        held.response_began();
        held.await_request(Duration::from_secs(1));
        streams.sweep(0, Duration::from_secs(9));
        assert!(held.poll_stop(&mut cx).is_pending());
    }
}
