//! The provisioning job of the binary, by its flags.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use mock_entra::{Dialect, Directory, Provisioning};

/// How often it is looked whether somebody answers at the Tenant URL.
const KNOCK: Duration = Duration::from_secs(1);

/// Whom the tenant's people and groups are told to by SCIM, and how.
#[derive(Args)]
#[expect(clippy::struct_field_names, reason = "each is the name of a flag")]
#[group(id = "provisioning")]
pub(crate) struct JobFlags {
    /// The Tenant URL of an application (SCIM 2.0, plain http), which is told of people and groups.
    #[arg(long, value_name = "URL", requires = "provision_token")]
    provision_to: Option<String>,
    /// The environment variable that holds the Secret token.
    #[arg(
        long,
        value_name = "NAME",
        group = "provision_token",
        requires = "provision_to"
    )]
    provision_token_env: Option<String>,
    /// The file that holds the Secret token.
    #[arg(
        long,
        value_name = "FILE",
        group = "provision_token",
        requires = "provision_to"
    )]
    provision_token_file: Option<PathBuf>,
    /// How changes are written: `flagged` is what `?aadOptscim062020` behind the Tenant URL asks for.
    #[arg(long, value_enum, default_value = "default", requires = "provision_to")]
    provision_dialect: DialectFlag,
    /// A person or group that is assigned, by user principal name, group name or object id; without it, all are.
    #[arg(long, value_name = "NAME", requires = "provision_to")]
    provision_assign: Vec<String>,
    /// Run a cycle by itself so often, in seconds, from when the application first answers; Entra takes 2400.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..), requires = "provision_to")]
    provision_every: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DialectFlag {
    Default,
    Flagged,
}

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobFault {
    #[error("--provision-to must be an http:// address: everything here is a test on one machine")]
    Address,
    #[error("the environment variable {0} holds no token")]
    Variable(String),
    #[error("{0} holds no token: {1}")]
    File(String, String),
    #[error("--provision-assign {0}: nobody and no group is called so")]
    Unknown(String),
}

impl JobFlags {
    /// The job; none where there is nobody to tell. It is the first tenant's.
    ///
    /// # Errors
    /// What of the flags cannot be.
    pub(crate) fn job(&self, directory: &Directory) -> Result<Option<Provisioning>, JobFault> {
        let (Some(to), Some(tenant)) = (&self.provision_to, directory.tenant_ids().into_iter().next()) else {
            return Ok(None);
        };
        if !to.starts_with("http://") {
            return Err(JobFault::Address);
        }
        // Flags behind the Tenant URL say in Entra which dialect it is; here a flag of its own does.
        let address = to.split('?').next().unwrap_or_default();
        let dialect = match self.provision_dialect {
            DialectFlag::Default => Dialect::Default,
            DialectFlag::Flagged => Dialect::Flagged,
        };
        let mut job = Provisioning::new(directory, &tenant, address, &self.token()?).dialect(dialect);
        if self.provision_assign.is_empty() {
            job = job.assign_all();
        }
        for name in &self.provision_assign {
            let unknown = || JobFault::Unknown(name.clone());
            job = job.assign_named(name).ok_or_else(unknown)?;
        }
        Ok(Some(job))
    }

    /// How often cycles run by themselves.
    pub(crate) fn every(&self) -> Option<Duration> {
        self.provision_every.map(Duration::from_secs)
    }

    /// What is printed of the job when the mock starts.
    pub(crate) fn summary(&self, base_url: &str) -> String {
        let to = self.provision_to.as_deref().unwrap_or_default();
        let when = match self.provision_every {
            Some(seconds) => format!("every {seconds} seconds, and after each change on"),
            None => "after each change on".to_owned(),
        };
        format!("\nProvisioning to {to}\n    {when} {base_url}/provisioning\n")
    }

    fn token(&self) -> Result<String, JobFault> {
        let filled = |token: &str| Some(token.trim().to_owned()).filter(|token| !token.is_empty());
        if let Some(name) = &self.provision_token_env {
            let token = variable(name).as_deref().and_then(filled);
            return token.ok_or_else(|| JobFault::Variable(name.clone()));
        }
        let file = self.provision_token_file.clone().unwrap_or_default();
        let named = file.display().to_string();
        match std::fs::read_to_string(&file) {
            Ok(token) => filled(&token).ok_or_else(|| JobFault::File(named, "it is empty".to_owned())),
            Err(error) => Err(JobFault::File(named, error.to_string())),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a secret on the command line is everybody's; the binary has no configuration to name it in"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs cycle after cycle, and prints what became of those in which there was something to tell.
pub(crate) async fn run(job: &Provisioning, every: Duration) -> std::io::Result<()> {
    // Whoever starts both at once need not start the application first.
    while !job.test_connection().await {
        tokio::time::sleep(KNOCK).await;
    }
    loop {
        let report = job.cycle().await;
        let mut lines = String::new();
        if !report.requests.is_empty() {
            lines = format!("provisioning: {} requests\n", report.requests.len());
        }
        for failure in &report.failures {
            let _ = writeln!(lines, "provisioning: {failure}"); // writing to a String cannot fail
        }
        if report.quarantined && !report.requests.is_empty() {
            lines.push_str(
                "provisioning: the job is in quarantine, until it is started again on /provisioning\n",
            );
        }
        std::io::stdout().write_all(lines.as_bytes())?;
        tokio::time::sleep(every).await;
    }
}
