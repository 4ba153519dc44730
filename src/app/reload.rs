//! A changed configuration file is taken up without dropping a connection.
//!
//! Declared objects and upstreams follow the file. What the process is built from (listeners, store, keys,
//! organization) does not: a change of those is announced and waits for a restart. A file with faults changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::config::geo::GeoConfig;
use crate::config::listen::Listen;
use crate::config::log::LogConfig;
use crate::config::organization::OrganizationConfig;
use crate::config::outbound::OutboundConfig;
use crate::config::smtp::SmtpConfig;
use crate::config::{self, Config};
use crate::feed::Wanted;
use crate::manage::{Manage, OlderFile};
use crate::model::idp::Cloud;
use crate::model::upstream::Upstream;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(2);

/// What a changed file changes.
pub(super) struct Reload {
    pub(super) file: PathBuf,
    pub(super) fixed: Fixed,
    pub(super) manage: Manage,
    pub(super) upstreams: Arc<ArcSwap<Vec<Arc<Upstream>>>>,
    pub(super) wanted: Arc<Wanted>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    /// The fingerprint of what the file declares as it was last read.
    pub(super) present: String,
}

impl Reload {
    /// Watches the file, and takes `SIGHUP` as the word that it changed, until the process ends.
    pub(super) async fn keep_watching(mut self, shutdown: Shutdown) {
        let Ok(mut hang_up) = signal(SignalKind::hangup()) else {
            tracing::error!("SIGHUP cannot be listened for; the configuration file is not watched");
            return;
        };
        let mut seen = changed_at(&self.file).await;
        loop {
            let told = tokio::select! {
                signal = hang_up.recv() => signal.is_some(),
                () = tokio::time::sleep(LOOK) => false,
                () = shutdown.soft() => return,
            };
            let now = changed_at(&self.file).await;
            if told || now != seen {
                seen = now;
                self.reload().await;
            }
        }
    }

    async fn reload(&mut self) {
        let file = self.file.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load(&file, &config::environment)).await;
        let taken = match loaded {
            Ok(Ok(config)) => self.take(config).await,
            Ok(Err(faults)) => {
                tracing::error!("The configuration file has faults; nothing was changed:\n{faults}");
                false
            }
            Err(error) => {
                tracing::error!(%error, "The configuration file could not be read");
                false
            }
        };
        self.metrics.config_reloaded(taken, self.clock.now());
    }

    async fn take(&mut self, config: Config) -> bool {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        for section in self.fixed.other_than(&config) {
            tracing::warn!("{section} has changed in the file; it takes a restart to take it up");
        }
        let declared = config.declarations.resolve(self.manage.account());
        let older = OlderFile::AppliedAfter(&self.present);
        match super::declare(&self.manage, &declared, older).await {
            Ok(true) => self.present = self.manage.fingerprint(&declared),
            Ok(false) => return false,
            Err(error) => {
                tracing::error!("The declared objects cannot stand; nothing was changed: {error:#}");
                return false;
            }
        }
        // Upstreams that stay the same stay the very same, and keep their connections.
        let present = self.upstreams.load();
        let kept = |new: Upstream| {
            present
                .iter()
                .find(|old| ***old == new)
                .cloned()
                .unwrap_or_else(|| Arc::new(new))
        };
        self.upstreams
            .store(Arc::new(config.upstreams.into_iter().map(kept).collect()));
        self.wanted.ask();
        tracing::info!("The configuration file was read anew");
        true
    }
}

/// What the process was built from and a file read anew does not change.
pub(super) struct Fixed {
    organization: OrganizationConfig,
    listen: Listen,
    store: (SecretString, Duration),
    master_key: SecretSlice<u8>,
    clouds: BTreeMap<String, Cloud>,
    geo: GeoConfig,
    outbound: OutboundConfig,
    smtp: Option<SmtpConfig>,
    log: LogConfig,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        Self {
            organization: config.organization.clone(),
            listen: config.listen.clone(),
            store: (config.store.url.clone(), config.store.grace),
            master_key: config.master_key.clone(),
            clouds: config.clouds.clone(),
            geo: config.geo.clone(),
            outbound: config.outbound.clone(),
            smtp: config.smtp.clone(),
            log: config.log.clone(),
        }
    }

    /// The sections in which a configuration says something else.
    fn other_than(&self, config: &Config) -> Vec<&'static str> {
        let (url, grace) = &self.store;
        let same_store =
            url.expose_secret() == config.store.url.expose_secret() && *grace == config.store.grace;
        let same_key = self.master_key.expose_secret() == config.master_key.expose_secret();
        // `[refusals]` lives in the organization and has a section of its own.
        let refusals = &config.organization.refusals;
        let organization = OrganizationConfig {
            refusals: self.organization.refusals.clone(),
            ..config.organization.clone()
        };
        let sections = [
            ("[organization]", self.organization == organization),
            ("[refusals]", self.organization.refusals == *refusals),
            ("[listen]", self.listen == config.listen),
            ("[store]", same_store),
            ("[secrets]", same_key),
            ("[clouds]", self.clouds == config.clouds),
            ("[geo]", self.geo == config.geo),
            ("[outbound]", self.outbound == config.outbound),
            ("[smtp]", self.smtp == config.smtp),
            ("[log]", self.log == config.log),
        ];
        let changed = sections.into_iter().filter(|(_, same)| !same);
        changed.map(|(section, _)| section).collect()
    }
}

async fn changed_at(file: &Path) -> Option<SystemTime> {
    tokio::fs::metadata(file)
        .await
        .and_then(|metadata| metadata.modified())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Surroundings, load_text};

    fn config(listen: &str, grace: &str) -> Config {
        with(listen, grace, "")
    }

    fn with(listen: &str, grace: &str, more: &str) -> Config {
        let text = format!(
            "[organization]\nname = \"Example\"\nauth_url = \"http://login.localhost:8080\"\n\
             [listen]\nhttp = \"{listen}\"\n[store]\nurl = \"sqlite::memory:\"\ngrace = \"{grace}\"\n\
             [secrets]\nmaster_key = \"a key of thirty-two bytes or more\"\n{more}"
        );
        let surroundings = Surroundings {
            env: &|_| None,
            read: &|path| std::fs::read(path),
        };
        load_text(Path::new("x.toml"), &text, surroundings).unwrap()
    }

    #[test]
    fn sections_that_take_a_restart_are_named() {
        let fixed = Fixed::of(&config("127.0.0.1:8080", "15m"));
        assert!(fixed.other_than(&config("127.0.0.1:8080", "15m")).is_empty());
        assert_eq!(
            fixed.other_than(&config("127.0.0.1:8081", "1m")),
            ["[listen]", "[store]"]
        );
        let mailing = |password: &str| {
            let smtp = format!(
                "[smtp]\nurl = \"smtps://mail.example.com\"\nfrom = \"v@example.com\"\n\
                 username = \"v\"\npassword = \"{password}\"\n"
            );
            with("127.0.0.1:8080", "15m", &smtp)
        };
        assert_eq!(fixed.other_than(&mailing("first")), ["[smtp]"]);
        let fixed = Fixed::of(&mailing("first"));
        assert!(fixed.other_than(&mailing("first")).is_empty());
        assert_eq!(fixed.other_than(&mailing("second")), ["[smtp]"]);
        let quiet = with("127.0.0.1:8080", "15m", "[refusals]\ntell = \"nothing\"\n");
        let fixed = Fixed::of(&config("127.0.0.1:8080", "15m"));
        assert_eq!(fixed.other_than(&quiet), ["[refusals]"]);
    }
}
