//! `mock-entra`: serves a mock Entra tenant until it is stopped.

mod job;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mock_entra::{Directory, FileFault, MockEntra, StartFailure};

use self::job::{JobFault, JobFlags};

/// A mock Microsoft Entra ID tenant for integration tests. Everybody may sign in as anybody: never expose it.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// A file that describes the directory, JSON or TOML; without it the demo's people are served.
    #[arg(long)]
    config: Option<PathBuf>,
    /// How the mock calls itself, where that is not `http://` and the address it listens on.
    #[arg(long)]
    base_url: Option<String>,
    /// A redirect address to add to every app.
    #[arg(long)]
    redirect_uri: Vec<String>,
    #[command(flatten)]
    provisioning: JobFlags,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    File(#[from] FileFault),
    #[error(transparent)]
    Job(#[from] JobFault),
    #[error(transparent)]
    Start(#[from] StartFailure),
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
}

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "mock-entra: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Result<(), Failure> {
    let directory = match &arguments.config {
        Some(file) => Directory::from_file(file)?,
        None => Directory::demo(),
    };
    for address in &arguments.redirect_uri {
        directory.add_redirect_uri(address);
    }
    let job = arguments.provisioning.job(&directory)?;
    if let Some(job) = &job {
        directory.provision_with(job);
    }
    let entra = match &arguments.base_url {
        Some(name) => MockEntra::start_as(arguments.listen, name, &directory).await?,
        None => MockEntra::start_on(arguments.listen, &directory).await?,
    };
    let mut summary = entra.summary();
    if job.is_some() {
        summary.push_str(&arguments.provisioning.summary(&entra.base_url()));
    }
    std::io::stdout().write_all(summary.as_bytes())?;
    let stopped = tokio::signal::ctrl_c();
    match (job, arguments.provisioning.every()) {
        (Some(job), Some(every)) => tokio::select! {
            stopped = stopped => stopped?,
            ended = job::run(&job, every) => ended?,
        },
        _ => stopped.await?,
    }
    Ok(())
}
