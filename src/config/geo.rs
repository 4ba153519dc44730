//! `[geo]`: who tells the country that a request comes from.

use std::path::PathBuf;

use http::HeaderName;

use super::tree::{Keys, Node};
use crate::model::header_names::{self, Standing};

/// Where countries come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GeoConfig {
    /// Nobody tells: rules about countries are unknown.
    #[default]
    None,
    /// A file in MaxMind's format. It was one when the configuration was read, and is read anew when it changes.
    Database(PathBuf),
    /// A header, believed from trusted proxies only.
    Header(HeaderName),
}

pub(super) const KEYS: Keys = Keys {
    known: &["database", "country_header"],
    refused: &[],
};
const FORM: &str =
    "write database = \"/var/lib/GeoIP/GeoLite2-Country.mmdb\" or country_header = \"CF-IPCountry\"";

/// Headers that mean something else, here or to the proxy.
const TAKEN: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "forwarded",
    "host",
    "origin",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

pub(super) fn read(node: &Node<'_>) -> Option<GeoConfig> {
    let table = node.table(&KEYS)?;
    match (table.node("database"), table.node("country_header")) {
        (Some(file), None) => database(&file).map(GeoConfig::Database),
        (None, Some(name)) => header(&name).map(GeoConfig::Header),
        (Some(_), Some(name)) => {
            name.fault(
                "a country has one source, not two",
                "keep database or country_header",
            );
            None
        }
        (None, None) => {
            table.fault("nobody tells the country", FORM);
            None
        }
    }
}

fn database(node: &Node<'_>) -> Option<PathBuf> {
    let file = node.reader.path(node.text()?);
    match maxminddb::Reader::open_readfile(&file) {
        Ok(_) => Some(file),
        Err(error) => {
            node.fault(
                format!("{} cannot be used: {error}", file.display()),
                "name a database of countries in MaxMind's format (.mmdb) that the gateway may read",
            );
            None
        }
    }
}

fn header(node: &Node<'_>) -> Option<HeaderName> {
    let text = node.text()?;
    let name = text.parse::<HeaderName>().ok();
    let name = name.filter(|name| {
        header_names::standing(name.as_str()) == Standing::Foreign && !TAKEN.contains(&name.as_str())
    });
    if name.is_none() {
        node.fault(
            format!("\"{text}\" is no header that a country could stand in"),
            "write country_header = \"CF-IPCountry\", or how your proxy calls it",
        );
    }
    name
}
