//! A changed configuration file is taken up without dropping a connection.
//!
//! Declared objects and upstreams follow the file. What the process is built from (listeners, store, keys,
//! organization) does not: a change of those is announced and waits for a restart. A file with faults changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::feed::Wanted;
use crate::manage::Manage;
use crate::model::upstream::Upstream;
use crate::shutdown::Shutdown;
use crate::telemetry::metrics::Metrics;

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(2);

/// What a changed file changes.
pub(super) struct Reload {
    pub(super) file: PathBuf,
    pub(super) manage: Manage,
    pub(super) upstreams: Arc<ArcSwap<Vec<Arc<Upstream>>>>,
    pub(super) wanted: Arc<Wanted>,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
}

impl Reload {
    /// Watches the file, and takes `SIGHUP` as the word that it changed, until the process ends.
    pub(super) async fn keep_watching(self, shutdown: Shutdown) {
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

    async fn reload(&self) {
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

    async fn take(&self, config: Config) -> bool {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if let Err(error) = super::declare(&self.manage, &config.declarations).await {
            tracing::error!("The declared objects cannot stand; nothing was changed: {error:#}");
            return false;
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

async fn changed_at(file: &Path) -> Option<SystemTime> {
    tokio::fs::metadata(file)
        .await
        .and_then(|metadata| metadata.modified())
        .ok()
}
