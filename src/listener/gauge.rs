//! How long a connection has been doing what it does. Bytes and requests move it on; a sweep a second lets it age.
//!
//! One sweep a core costs less than a timer a request. All of it happens on one core; the atomics are there because
//! hyper hands an upgraded connection on only as something `Send`.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, Ordering::Relaxed};

/// Seconds a client may take to send the head of a request, the first as well: against slow headers (Slowloris).
const HEAD: u16 = 15;

/// Seconds a connection may wait for its next request. More than the idle timeout of proxies that stand in front
/// (cloudflared 90 s, most load balancers 60 s), for the side that sends should be the one that closes.
const IDLE: u16 = 100;

/// Seconds without one byte taken while bytes wait: against clients that do not read.
const BLOCKED: u16 = 60;

/// Seconds to wait for a client to notice that we have closed, where it may still be sending.
const LINGER: u16 = 2;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The first request's first byte.
    Fresh = 0,
    /// The rest of a request's head.
    Head = 1,
    /// An answer.
    Busy = 2,
    /// The next request.
    Idle = 3,
    /// The client's own close, after ours.
    Linger = 4,
}

/// What the sweep says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// Within all bounds.
    Fine,
    /// No request for long: finish in order.
    Retire,
    /// Too slow: end.
    Kill,
}

/// Shared by the connection, its bytes and its requests.
#[derive(Debug)]
pub(super) struct Gauge {
    phase: AtomicU8,
    /// Seconds in this phase.
    age: AtomicU16,
    /// Seconds since writing was first refused, plus one; 0 while it is not.
    blocked: AtomicU16,
    /// HTTP/2 has bytes of its own between requests: pings and window updates are no request's head.
    multiplexed: AtomicBool,
    /// The head being read has two statements of its body's length.
    ambiguous: AtomicBool,
    /// Whether the client may still be sending when we close.
    sending: AtomicBool,
}

impl Gauge {
    pub(super) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Fresh as u8),
            age: AtomicU16::new(0),
            blocked: AtomicU16::new(0),
            multiplexed: AtomicBool::new(false),
            ambiguous: AtomicBool::new(false),
            sending: AtomicBool::new(false),
        }
    }

    /// This connection speaks HTTP/2.
    pub(super) fn multiplex(&self) {
        self.multiplexed.store(true, Relaxed);
    }

    /// Bytes came in. Whether they belong to the head of a request.
    pub(super) fn bytes_came(&self) -> bool {
        if self.multiplexed.load(Relaxed) {
            return false;
        }
        if self.is(Phase::Fresh) || self.is(Phase::Idle) {
            self.enter(Phase::Head);
            self.ambiguous.store(false, Relaxed);
            self.sending.store(true, Relaxed);
        }
        self.is(Phase::Head)
    }

    /// The head being read states its body's length twice.
    pub(super) fn head_is_ambiguous(&self) {
        self.ambiguous.store(true, Relaxed);
    }

    /// A head is complete. Whether it was ambiguous.
    pub(super) fn request_began(&self, has_body: bool) -> bool {
        self.enter(Phase::Busy);
        self.sending.store(has_body, Relaxed);
        self.ambiguous.swap(false, Relaxed)
    }

    /// The last open request of the connection is answered.
    pub(super) fn all_answered(&self) {
        self.enter(Phase::Idle);
    }

    /// Writing was refused: the client takes nothing at the moment.
    pub(super) fn write_refused(&self) {
        if self.blocked.load(Relaxed) == 0 {
            self.blocked.store(1, Relaxed);
        }
    }

    /// Bytes went out.
    pub(super) fn write_taken(&self) {
        self.blocked.store(0, Relaxed);
        if self.is(Phase::Idle) {
            // The answer is still leaving.
            self.age.store(0, Relaxed);
        }
    }

    /// We have closed. Whether to wait for the client, which may still be sending: a reset would take the answer
    /// from it (RFC 9112 §9.6).
    pub(super) fn closed(&self) -> bool {
        if self.is(Phase::Linger) {
            return true;
        }
        let lingers = self.sending.load(Relaxed) && !self.multiplexed.load(Relaxed);
        if lingers {
            self.enter(Phase::Linger);
        }
        lingers
    }

    /// A second has passed.
    pub(super) fn grow_older(&self) -> Age {
        let age = self.age.load(Relaxed).saturating_add(1);
        self.age.store(age, Relaxed);
        let blocked = self.blocked.load(Relaxed);
        if blocked > 0 {
            self.blocked.store(blocked.saturating_add(1), Relaxed);
        }
        let slow = blocked > BLOCKED
            || (age > HEAD
                && (self.is(Phase::Head) || (self.is(Phase::Fresh) && !self.multiplexed.load(Relaxed))))
            || (age > LINGER && self.is(Phase::Linger));
        if slow {
            Age::Kill
        } else if age > IDLE && (self.is(Phase::Idle) || self.is(Phase::Fresh)) {
            Age::Retire
        } else {
            Age::Fine
        }
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Relaxed) == phase as u8
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.age.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_verdict_after(gauge: &Gauge, seconds: u16) -> Age {
        for _ in 0..seconds {
            assert_eq!(gauge.grow_older(), Age::Fine);
        }
        gauge.grow_older()
    }

    #[test]
    fn silence_and_slow_heads_end_after_the_same_time() {
        let gauge = Gauge::new();
        assert_eq!(first_verdict_after(&gauge, HEAD), Age::Kill);
        let gauge = Gauge::new();
        gauge.bytes_came();
        for _ in 0..HEAD {
            gauge.bytes_came(); // a byte a second does not help
            assert_eq!(gauge.grow_older(), Age::Fine);
        }
        assert_eq!(gauge.grow_older(), Age::Kill);
    }

    #[test]
    fn a_request_in_progress_may_take_for_ever() {
        let gauge = Gauge::new();
        gauge.bytes_came();
        gauge.request_began(false);
        for _ in 0..10_000 {
            assert_eq!(gauge.grow_older(), Age::Fine);
        }
    }

    #[test]
    fn an_idle_connection_retires() {
        let gauge = Gauge::new();
        gauge.bytes_came();
        gauge.request_began(false);
        gauge.all_answered();
        assert_eq!(first_verdict_after(&gauge, IDLE), Age::Retire);
    }

    #[test]
    fn a_client_that_does_not_read_is_dropped_and_one_that_reads_slowly_is_not() {
        let gauge = Gauge::new();
        gauge.request_began(false);
        gauge.write_refused();
        assert_eq!(first_verdict_after(&gauge, BLOCKED), Age::Kill);
        let gauge = Gauge::new();
        gauge.request_began(false);
        for _ in 0..1000 {
            gauge.write_refused();
            assert_eq!(gauge.grow_older(), Age::Fine);
            gauge.write_taken();
        }
    }

    #[test]
    fn we_linger_only_where_the_client_may_still_be_sending() {
        let gauge = Gauge::new();
        gauge.bytes_came();
        gauge.request_began(false);
        assert!(!gauge.closed());
        gauge.request_began(true);
        assert!(gauge.closed());
        assert_eq!(first_verdict_after(&gauge, LINGER), Age::Kill);
    }

    #[test]
    fn the_frames_of_http_2_are_no_heads() {
        let gauge = Gauge::new();
        gauge.multiplex();
        assert!(!gauge.bytes_came());
        assert_eq!(first_verdict_after(&gauge, IDLE), Age::Retire);
    }
}
