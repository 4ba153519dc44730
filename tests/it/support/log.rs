//! What the gateways of this process wrote to the log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::Value;
use tracing_subscriber::filter::EnvFilter;

#[derive(Clone, Default)]
struct Pages(Arc<Mutex<Vec<u8>>>);

static PAGES: OnceLock<Pages> = OnceLock::new();

/// Keeps everything from now on; once a process, for all its tests.
pub(crate) fn capture() {
    PAGES.get_or_init(|| {
        let pages = Pages::default();
        let writer = pages.clone();
        tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(EnvFilter::new("warn,vestibule=debug"))
            .with_writer(move || writer.clone())
            .init();
        pages
    });
}

/// The lines in which this text stands. Tests run side by side, so it must be one that only one test knows.
pub(crate) fn lines_with(text: &str) -> Vec<Value> {
    let pages = PAGES.get().expect("the log is captured").0.lock().unwrap();
    let all = String::from_utf8_lossy(&pages);
    let lines = all.lines().filter(|line| line.contains(text));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether this text stands anywhere.
pub(crate) fn contains(text: &str) -> bool {
    !lines_with(text).is_empty()
}

/// The lines that told an operator of a request: neither the one of every request nor those for developers.
pub(crate) fn told_of(request_id: &str) -> Vec<Value> {
    let mut lines = lines_with(request_id);
    lines.retain(|line| line["level"] != "DEBUG" && line["level"] != "TRACE");
    lines
}

/// The lines of the access log about a path, which only one test asks for.
pub(crate) fn answered(path: &str) -> Vec<Value> {
    let mut lines = lines_with(path);
    lines.retain(|line| line["target"] == "vestibule::access" && line["http.path"] == path);
    lines
}

/// The request id that a page shows at its foot.
pub(crate) fn request_id(page: &str) -> Option<String> {
    let (_, rest) = page.rsplit_once("class=\"reference\">")?;
    Some(rest.split('<').next().unwrap().to_owned())
}

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
