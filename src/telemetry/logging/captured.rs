//! For tests: a log that is kept in memory.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::EnvFilter;

use super::{LineFormat, subscriber};

/// What was written.
#[derive(Clone, Default)]
pub(super) struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What `tell` writes to a log of these directives.
pub(in crate::telemetry) fn written(directives: &str, format: LineFormat, tell: impl FnOnce()) -> String {
    let page = Page::default();
    let writer = page.clone();
    let filter = EnvFilter::try_new(directives).unwrap();
    let log = subscriber(filter, format, false, move || writer.clone());
    tracing::subscriber::with_default(log, tell);
    page.text()
}
