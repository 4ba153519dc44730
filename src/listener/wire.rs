//! The bytes of a client's connection, with an eye on how they come and go.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Lengths;
use super::gauge::Gauge;

/// Bytes thrown away after our close at most; who sends more than this unheard is reset.
const LINGER_CAP: usize = 1024 * 1024;

/// A stream that tells the gauge what happens on it.
#[derive(Debug)]
pub(super) struct Wire<T> {
    stream: T,
    gauge: Arc<Gauge>,
    lengths: Option<Lengths>,
    shut: bool,
    thrown_away: usize,
}

impl<T> Wire<T> {
    pub(super) fn new(stream: T, gauge: Arc<Gauge>) -> Self {
        Self {
            stream,
            gauge,
            lengths: None,
            shut: false,
            thrown_away: 0,
        }
    }

    fn look_at_head(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if !self.gauge.bytes_came() {
            self.lengths = None;
        } else if self.lengths.get_or_insert_default().read(bytes) {
            self.gauge.head_is_ambiguous();
        }
    }

    fn noted<R>(&self, written: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        match &written {
            Poll::Pending => self.gauge.write_refused(),
            Poll::Ready(_) => self.gauge.write_taken(),
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(())) = read {
            this.look_at_head(buf.filled().get(before..).unwrap_or_default());
        }
        read
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.noted(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.noted(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.noted(flushed)
    }

    /// Closes our side, then reads on for a moment where the client may still be sending.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.shut {
            std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            this.shut = true;
        }
        if !this.gauge.closed() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        while this.thrown_away < LINGER_CAP {
            let mut buf = ReadBuf::new(&mut scratch);
            let read = std::task::ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                break;
            }
            this.thrown_away += buf.filled().len();
        }
        Poll::Ready(Ok(()))
    }
}
