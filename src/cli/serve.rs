//! `vestibule serve`: the gateway, until it is told to stop.

use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Terminal, opened};
use crate::app::{self, Running};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::log::LogFormat;
use crate::listener::tls::CertificateUnusable;
use crate::manage::ManageError;
use crate::session::keys::KeyError;
use crate::telemetry::logging::{self, LineFormat};

/// Threads of the control plane. Its work is waiting, and what computes for long has threads of its own; with some to
/// spare, what computes longer than it should delays no ending of a session.
const CONTROL_THREADS: usize = 4;

/// How long open requests may take to end after the first signal; the second ends them at once.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let config = match opened::read(file, terminal)? {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    let format = match config.log.format {
        LogFormat::Text => LineFormat::Text,
        LogFormat::Json => LineFormat::Json,
    };
    let flush = match logging::start(config.log.level, config.log.filter.as_deref(), format) {
        Ok(flush) => flush,
        Err(refused) => {
            writeln!(terminal.err, "vestibule: {refused}")?;
            return Ok(Exit::Unusable);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()?;
    let exit = runtime.block_on(serve(config, file, terminal));
    drop(flush);
    exit
}

async fn serve(config: Config, file: &Path, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let mut stop = Stop::listen()?;
    let running = match app::start(config, Some(file.to_owned()), Clock::system()).await {
        Ok(running) => running,
        Err(error) => {
            writeln!(terminal.err, "vestibule: {error:#}")?;
            return Ok(exit_of(&error));
        }
    };
    announce(&running);
    stop.asked_for().await;
    tracing::info!("Stopping; open requests have {} seconds", PATIENCE.as_secs());
    tokio::select! {
        () = running.stop(PATIENCE) => {}
        () = stop.asked_for() => tracing::warn!("Stopping at once"),
    }
    Ok(Exit::Fine)
}

/// Whether it helps to start again, or only to change the configuration.
fn exit_of(error: &anyhow::Error) -> Exit {
    let unusable = error.chain().any(|cause| {
        matches!(
            cause.downcast_ref(),
            Some(ManageError::Refused(_) | ManageError::Taken(_) | ManageError::ForeignAccount { .. })
        ) || matches!(cause.downcast_ref(), Some(KeyError::Sealed(_)))
            || cause.is::<CertificateUnusable>()
    });
    if unusable {
        Exit::Unusable
    } else {
        Exit::Unavailable
    }
}

fn announce(running: &Running) {
    let served = [
        ("http", running.http),
        ("https", running.https),
        ("internal", running.internal),
        ("forward-auth", running.forward_auth),
    ];
    for (what, address) in served
        .into_iter()
        .filter_map(|(what, address)| Some((what, address?)))
    {
        tracing::info!(%address, "Serving {what}");
    }
}

/// The signals that ask a process to stop.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked_for(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn what_only_another_configuration_mends_exits_64() {
        let refused: Result<(), _> = Err(ManageError::Refused(Vec::new()));
        let refused = refused.context("the declared objects").unwrap_err();
        assert_eq!(exit_of(&refused), Exit::Unusable);
        let taken = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        assert_eq!(exit_of(&anyhow::Error::from(taken)), Exit::Unavailable);
    }
}
