//! The log: where it goes, how a line looks, and what is never in it.
//!
//! Lines go to standard error, through a thread of their own, so that no request waits for whoever reads the log. The
//! libraries that hold headers and tokens while they work are kept from telling about them, whatever level is asked for.

#[cfg(test)]
pub(super) mod captured;
mod writer;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

pub use writer::Flush;

/// Libraries whose lines below `info` may hold headers, cookies, tokens or secrets.
const TALKATIVE: [&str; 10] = [
    "h2",
    "hyper",
    "hyper_util",
    "jsonwebtoken",
    "oauth2",
    "openidconnect",
    "reqwest",
    "rustls",
    "sqlx",
    "tokio_rustls",
];

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

/// Why the log did not start.
#[derive(Debug, thiserror::Error)]
pub enum LoggingRefused {
    /// The directives are malformed.
    #[error("the log's directives are malformed: {0}")]
    Directives(#[from] ParseError),
    /// The thread that writes did not start.
    #[error("the log's thread did not start: {0}")]
    Thread(#[from] std::io::Error),
    /// The log was started before.
    #[error("the log was started twice")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Starts the log. Keep what is returned until the end of the process: dropping it writes what still waits.
///
/// `level` holds for everything; `directives` (as in `RUST_LOG`: `warn,vestibule::login=debug`), where given, hold
/// instead.
///
/// # Errors
/// For malformed directives, and the second time.
pub fn start(level: Level, directives: Option<&str>, format: LineFormat) -> Result<Flush, LoggingRefused> {
    use std::io::IsTerminal as _;

    let level = level.as_str().to_ascii_lowercase();
    let filter = EnvFilter::try_new(directives.unwrap_or(&level))?;
    let (writer, flush) = writer::spawn(std::io::stderr())?;
    let colours = std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(subscriber(filter, format, colours, writer))?;
    Ok(flush)
}

fn subscriber<W>(
    filter: EnvFilter,
    format: LineFormat,
    colours: bool,
    writer: W,
) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        // On a terminal the default stands, which honours NO_COLOR.
        LineFormat::Text if colours => lines.boxed(),
        LineFormat::Text => lines.with_ansi(false).boxed(),
        LineFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    Registry::default().with(lines.with_filter(filter_fn(may_be_told)).with_filter(filter))
}

/// Whether a line may be written at all, at whatever level the log stands.
fn may_be_told(line: &Metadata<'_>) -> bool {
    let library = line.target().split("::").next().unwrap_or_default();
    *line.level() <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use super::captured::written;
    use super::*;

    #[test]
    fn libraries_do_not_tell_of_headers_at_any_level() {
        let log = written("trace", LineFormat::Text, || {
            tracing::trace!(target: "hyper::proto::h1", "cookie: CF_Authorization=secret");
            tracing::debug!(target: "h2::codec", "cookie: CF_Authorization=secret");
            tracing::warn!(target: "hyper::proto::h1", "a warning");
            tracing::trace!(target: "hyperspace", "not a library of ours");
            tracing::trace!("our own");
        });
        assert!(!log.contains("secret"), "{log}");
        for line in ["a warning", "not a library of ours", "our own"] {
            assert!(log.contains(line), "{line} not in {log}");
        }
    }

    #[test]
    fn directives_choose_the_level_of_each_module() {
        let log = written("warn,vestibule::login=debug", LineFormat::Text, || {
            tracing::debug!(target: "vestibule::login", "told");
            tracing::info!(target: "vestibule::gate", "hidden");
        });
        assert!(log.contains("told") && !log.contains("hidden"), "{log}");
    }

    #[test]
    fn a_json_line_is_one_object_with_flat_fields() {
        let log = written("info", LineFormat::Json, || {
            tracing::info!(request.id = "7f3c91a0-00000001", status = 403, "Refused");
        });
        let line: serde_json::Value = serde_json::from_str(log.trim_end()).unwrap();
        assert_eq!(line["message"], "Refused");
        assert_eq!(line["request.id"], "7f3c91a0-00000001");
        assert_eq!(line["status"], 403);
        assert_eq!(line["level"], "INFO");
    }
}
