//! Stopping in two steps: *soft* asks everybody to finish, *hard* stops waiting for them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Handed to everything that runs until the process ends. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl Shutdown {
    /// A process that is running.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to finish: no new connections, open requests may end.
    pub fn start(&self) {
        self.soft.cancel();
    }

    /// Whether finishing has been asked for.
    pub fn started(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Resolves when finishing is asked for.
    pub async fn soft(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when waiting is over.
    pub async fn hard(&self) {
        self.hard.cancelled().await;
    }

    /// Counts a task that [`Shutdown::finish`] waits for.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Asks everybody to finish, waits for at most `patience`, then stops the rest.
    pub async fn finish(&self, patience: Duration) {
        self.soft.cancel();
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            self.hard.cancel();
            // A task that ignores the hard stop is dropped with the runtime; do not wait for ever.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.tasks.wait()).await;
        }
        self.hard.cancel();
    }
}
