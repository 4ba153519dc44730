//! The thread that writes the log's lines, so that no request waits for whoever reads them.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait. At some 300 bytes each this is a few megabytes; beyond it lines are dropped and counted, since a
/// log that nobody reads must not stop the gateway.
const WAITING: usize = 16 * 1024;

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

enum Item {
    Line(Vec<u8>),
    Done(SyncSender<()>),
}

/// Makes a [`Line`] for each event.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    queue: SyncSender<Item>,
    dropped: Arc<AtomicU64>,
}

/// One line while it is written; dropping it sends it.
#[derive(Debug)]
pub(super) struct Line<'a> {
    text: Vec<u8>,
    lines: &'a Lines,
}

/// Writes what still waits when it is dropped.
#[derive(Debug)]
pub struct Flush {
    queue: SyncSender<Item>,
}

/// Starts the thread.
pub(super) fn spawn(out: impl Write + Send + 'static) -> io::Result<(Lines, Flush)> {
    let (queue, waiting) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let lost = Arc::clone(&dropped);
    thread::Builder::new()
        .name("log".into())
        .spawn(move || write_all(&waiting, &lost, out))?;
    let flush = Flush { queue: queue.clone() };
    Ok((Lines { queue, dropped }, flush))
}

fn write_all(waiting: &Receiver<Item>, lost: &AtomicU64, mut out: impl Write) {
    // Where the log cannot be written there is nobody left to tell.
    while let Ok(item) = waiting.recv() {
        match item {
            Item::Line(text) => {
                let _ = out.write_all(&text);
            }
            Item::Done(written) => {
                let _ = out.flush();
                let _ = written.send(());
            }
        }
        let lost = lost.swap(0, Relaxed);
        if lost > 0 {
            let _ = writeln!(
                out,
                "{lost} lines of the log were lost: they came faster than they are read"
            );
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            text: Vec::new(),
            lines: self,
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = mem::take(&mut self.text);
        if !text.is_empty() && self.lines.queue.try_send(Item::Line(text)).is_err() {
            self.lines.dropped.fetch_add(1, Relaxed);
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (written, done) = sync_channel(1);
        // A full queue at the very end loses its last lines rather than hanging the process.
        if self.queue.try_send(Item::Done(written)).is_ok() {
            let _ = done.recv_timeout(LAST_LINES);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::captured::Page;
    use super::*;

    /// Blocks until it is told to go on.
    struct Stuck(mpsc::Receiver<()>, Page);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn dropping_the_guard_writes_what_waits() {
        let page = Page::default();
        let (lines, flush) = spawn(page.clone()).unwrap();
        for number in 0..100 {
            writeln!(lines.make_writer(), "line {number}").unwrap();
        }
        drop(flush);
        let text = page.text();
        assert_eq!(text.lines().count(), 100);
        assert!(text.ends_with("line 99\n"));
    }

    #[test]
    fn a_log_that_nobody_reads_loses_lines_and_says_how_many() {
        let (go_on, stuck) = mpsc::channel();
        let page = Page::default();
        let (lines, flush) = spawn(Stuck(stuck, page.clone())).unwrap();
        // One more than wait, and one that the thread may hold in its hands.
        for _ in 0..WAITING + 12 {
            lines.make_writer().write_all(b"x\n").unwrap();
        }
        drop(go_on); // now every write passes
        while lines.queue.try_send(Item::Line(b"last\n".to_vec())).is_err() {
            thread::yield_now();
        }
        drop(flush);
        let text = page.text();
        assert!(text.contains("lines of the log were lost"), "{}", text.len());
    }
}
