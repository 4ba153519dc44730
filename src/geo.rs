//! The country that a request comes from.
//!
//! Either a database of the operator's tells it by the client's address, or the trusted proxy in front says it in a
//! header. Whatever neither of them knows for certain is unknown, and then rules about countries are unknown too.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName};
use maxminddb::{Reader, path};

use crate::config::geo::GeoConfig;
use crate::model::country::CountryCode;
use crate::shutdown::Shutdown;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What Cloudflare and others write for "no country known". It is no country's code (ISO 3166-1, user-assigned).
const NO_COUNTRY: &str = "XX";

/// The database cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: the database of countries cannot be used: {reason}")]
pub struct DatabaseUnusable {
    file: String,
    reason: maxminddb::MaxMindDbError,
}

/// Tells countries. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Geo(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    None,
    Database(Arc<Database>),
    Header(HeaderName),
}

impl Geo {
    /// The source that the configuration names, read for the first time.
    ///
    /// # Errors
    /// Where its file cannot be read as a database.
    pub fn open(config: &GeoConfig) -> Result<Self, DatabaseUnusable> {
        Ok(Self(match config {
            GeoConfig::None => Source::None,
            GeoConfig::Database(file) => Source::Database(Arc::new(Database::open(file)?)),
            GeoConfig::Header(name) => Source::Header(name.clone()),
        }))
    }

    /// The country of a request from this address; `address` is absent where it could not be read, and then nothing is
    /// known. `trusted` says whether the headers are those of a trusted proxy: nobody else's word counts.
    pub fn country(
        &self,
        address: Option<IpAddr>,
        headers: &HeaderMap,
        trusted: bool,
    ) -> Option<CountryCode> {
        match &self.0 {
            Source::Database(database) => database.country(address?),
            Source::Header(name) if trusted => said(headers, name),
            Source::None | Source::Header(_) => None,
        }
    }

    /// The country of an address that is asked about and that no request comes from: a database alone knows.
    pub fn country_of(&self, address: IpAddr) -> Option<CountryCode> {
        match &self.0 {
            Source::Database(database) => database.country(address),
            Source::None | Source::Header(_) => None,
        }
    }

    /// The header that is believed from trusted proxies, and from nobody else.
    pub fn believed_header(&self) -> Option<&HeaderName> {
        match &self.0 {
            Source::Header(name) => Some(name),
            Source::None | Source::Database(_) => None,
        }
    }

    /// Reads the database anew whenever its file has changed, until the process stops. While a new file cannot be used,
    /// the old one stays and the log says why.
    pub async fn keep_fresh(self, shutdown: Shutdown) {
        if let Source::Database(database) = self.0 {
            database.keep_fresh(shutdown).await;
        }
    }
}

/// What a trusted proxy says. Two lines, or anything but the code of a country, say nothing.
fn said(headers: &HeaderMap, name: &HeaderName) -> Option<CountryCode> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => country(line.to_str().ok()?.trim()),
        _ => None,
    }
}

fn country(text: &str) -> Option<CountryCode> {
    text.parse()
        .ok()
        .filter(|code: &CountryCode| code.as_str() != NO_COUNTRY)
}

/// A database in MaxMind's format, kept in memory: a look-up reads no file.
#[derive(Debug)]
struct Database {
    file: PathBuf,
    current: ArcSwap<Reader<Vec<u8>>>,
}

impl Database {
    fn open(file: &Path) -> Result<Self, DatabaseUnusable> {
        Ok(Self {
            file: file.to_owned(),
            current: ArcSwap::from_pointee(read(file)?),
        })
    }

    /// Where the address is; not where its network is registered, which may be another country.
    fn country(&self, address: IpAddr) -> Option<CountryCode> {
        let current = self.current.load();
        // A damaged part of the file knows nothing.
        let found = current.lookup(address).ok()?;
        country(found.decode_path(&path!["country", "iso_code"]).ok()??)
    }

    async fn keep_fresh(self: Arc<Self>, shutdown: Shutdown) {
        let mut seen = changed_at(&self.file).await;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.soft() => return,
            }
            let now = changed_at(&self.file).await;
            if now == seen {
                continue;
            }
            seen = now;
            let file = self.file.clone();
            match tokio::task::spawn_blocking(move || read(&file)).await {
                Ok(Ok(fresh)) => {
                    self.current.store(Arc::new(fresh));
                    tracing::info!("The database of countries was read anew");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "The changed database of countries cannot be used; the old one stays");
                }
                Err(error) => {
                    tracing::error!(%error, "Reading the changed database of countries failed; the old one stays");
                }
            }
        }
    }
}

fn read(file: &Path) -> Result<Reader<Vec<u8>>, DatabaseUnusable> {
    Reader::open_readfile(file).map_err(|reason| DatabaseUnusable {
        file: file.display().to_string(),
        reason,
    })
}

/// When the file was written; nothing where it is not there at the moment.
async fn changed_at(file: &Path) -> Option<SystemTime> {
    let metadata = tokio::fs::metadata(file).await;
    metadata.and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(lines: &[&str], trusted: bool) -> Option<String> {
        let name = HeaderName::from_static("cf-ipcountry");
        let geo = Geo::open(&GeoConfig::Header(name.clone())).unwrap();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&name, line.parse().unwrap());
        }
        let country = geo.country(Some([192, 0, 2, 1].into()), &headers, trusted);
        country.map(|country| country.as_str().to_owned())
    }

    #[test]
    fn only_a_trusted_proxy_says_the_country() {
        assert_eq!(header(&["SE"], true).as_deref(), Some("SE"));
        assert_eq!(header(&["se"], true).as_deref(), Some("SE"));
        assert_eq!(header(&["SE"], false), None);
    }

    #[test]
    fn what_is_no_country_is_unknown() {
        for lines in [
            &[][..],
            &[""],
            &["XX"],
            &["xx"],
            &["T1"],
            &["SWE"],
            &["S"],
            &["SE, DE"],
            &["SE", "SE"],
            &["S E"],
        ] {
            assert_eq!(header(lines, true), None, "{lines:?}");
        }
    }

    fn looked_up(address: &str) -> Option<String> {
        let file = Path::new("tests/fixtures/geo/country.mmdb");
        let geo = Geo::open(&GeoConfig::Database(file.to_owned())).unwrap();
        let country = geo.country(Some(address.parse().unwrap()), &HeaderMap::new(), false);
        country.map(|country| country.as_str().to_owned())
    }

    #[test]
    fn the_database_knows_addresses_of_both_families() {
        assert_eq!(looked_up("192.0.2.7").as_deref(), Some("SE"));
        assert_eq!(looked_up("203.0.113.9").as_deref(), Some("DE"));
        assert_eq!(looked_up("2001:db8:5e::1").as_deref(), Some("SE"));
    }

    #[test]
    fn addresses_it_does_not_know_and_records_without_a_country_are_unknown() {
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "::1",
            "8.8.8.8",
            "198.51.100.1",   // registered in a country, but not in one
            "198.51.100.130", // `XX`
        ] {
            assert_eq!(looked_up(address), None, "{address}");
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no database").unwrap();
        let refused = Geo::open(&GeoConfig::Database(file.path().to_owned())).unwrap_err();
        assert!(refused.to_string().contains("cannot be used"), "{refused}");
        assert!(Geo::open(&GeoConfig::Database("/nowhere/country.mmdb".into())).is_err());
    }

    #[tokio::test]
    async fn a_changed_file_is_taken_up_and_a_broken_one_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let good = std::fs::read("tests/fixtures/geo/country.mmdb").unwrap();
        std::fs::write(file.path(), &good).unwrap();
        let database = Arc::new(Database::open(file.path()).unwrap());
        let shutdown = Shutdown::new();
        let watching = tokio::spawn(Arc::clone(&database).keep_fresh(shutdown.clone()));
        let known = || database.country([192, 0, 2, 7].into());
        tokio::time::sleep(Duration::from_millis(200)).await;

        std::fs::write(file.path(), "half a database").unwrap();
        tokio::time::sleep(LOOK + Duration::from_millis(500)).await;
        assert!(known().is_some(), "the old one stays");

        // The same database, but for the name of that country.
        let place = good.windows(3).position(|bytes| bytes == b"BSE").unwrap();
        let mut other = good.clone();
        other[place + 1..place + 3].copy_from_slice(b"NO");
        std::fs::write(file.path(), &other).unwrap();
        let taken_up = async {
            while known().is_none_or(|country| country.as_str() != "NO") {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(2 * LOOK, taken_up).await.unwrap();
        shutdown.finish(Duration::ZERO).await;
        watching.await.unwrap();
    }
}
