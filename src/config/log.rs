//! `[log]`: what is logged and how.

use tracing::Level;
use tracing_subscriber::EnvFilter;

use super::tree::{Keys, Node};

/// The log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The least severe level that is written.
    pub level: Level,
    /// Instead of `level`: levels by module, as `tracing` writes them (`info,vestibule::access=debug`).
    pub filter: Option<String>,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

pub(super) const KEYS: Keys = Keys {
    known: &["level", "filter", "format"],
    refused: &[],
};
const LEVELS: &[(&str, Level)] = &[
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];
const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: Level::INFO,
            filter: None,
            format: LogFormat::Text,
        }
    }
}

pub(super) fn read(node: &Node<'_>) -> Option<LogConfig> {
    let table = node.table(&KEYS)?;
    let level = table
        .node("level")
        .map_or(Some(Level::INFO), |node| node.one_of(LEVELS));
    let format = table
        .node("format")
        .map_or(Some(LogFormat::Text), |node| node.one_of(FORMATS));
    let filter = table.node("filter").map(|node| filter(&node));
    Some(LogConfig {
        level: level?,
        filter: filter.map_or(Some(None), |filter| filter.map(Some))?,
        format: format?,
    })
}

fn filter(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let fine = EnvFilter::try_new(text).is_ok();
    if !fine {
        node.fault(
            format!("\"{text}\" is no filter"),
            "write info,vestibule::access=debug",
        );
    }
    fine.then(|| text.to_owned())
}
