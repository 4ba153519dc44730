//! Who says that something changed: the process itself, and on PostgreSQL every other gateway (`LISTEN`/`NOTIFY`).
//! A wake-up is a courtesy that saves waiting for the next poll; the feed stays right without it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::PgListener;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Sends a wake-up to the other gateways when the transaction commits.
pub(super) const NOTIFY: &str = "NOTIFY vestibule_changes";
const CHANNEL: &str = "vestibule_changes";
/// Polling carries on meanwhile, so there is no hurry to listen again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Wake {
    waiting: Arc<Notify>,
    // Ends the listening task with the store.
    listening: DropGuard,
}

impl Wake {
    pub(super) fn in_process() -> Self {
        Self {
            waiting: Arc::new(Notify::new()),
            listening: CancellationToken::new().drop_guard(),
        }
    }

    /// Wakes for the changes of other processes too, on a connection of its own.
    pub(super) fn listening(url: SecretString) -> Self {
        let wake = Self::in_process();
        let (waiting, end) = (Arc::clone(&wake.waiting), wake.listening.token().clone());
        tokio::spawn(async move { end.run_until_cancelled(listen(url, &waiting)).await });
        wake
    }

    pub(super) fn wake(&self) {
        self.waiting.notify_waiters();
    }

    pub(super) fn woken(&self) -> impl Future<Output = ()> + Send + use<> {
        Arc::clone(&self.waiting).notified_owned()
    }

    pub(super) fn stop(&self) {
        self.listening.token().cancel();
    }
}

/// Listens for ever. Every (re-)connection wakes too: something may have come while nobody listened.
async fn listen(url: SecretString, waiting: &Notify) {
    loop {
        if let Err(error) = listen_once(&url, waiting).await {
            tracing::debug!(error = %error, "Not listening for changes; polling finds them later");
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn listen_once(url: &SecretString, waiting: &Notify) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url.expose_secret()).await?;
    listener.listen(CHANNEL).await?;
    loop {
        waiting.notify_waiters();
        listener.try_recv().await?;
    }
}
