//! The commands: arguments in, text and an exit code out. One file a command.

mod access;
mod apply;
mod approvals;
mod check;
mod explain;
mod idp;
mod keys;
mod opened;
mod serve;
mod service_token;
mod sessions;
mod token;
mod users;

use std::ffi::OsString;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A self-hosted login gateway for Microsoft Entra ID, wire-compatible with Cloudflare Access
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(ConfigFile),
    /// Name every mistake in a configuration file, or say what it means
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Make the objects of the store as the file declares them, even where a newer file was applied since
    Apply(ConfigFile),
    /// Say who may open what and why, without a login; or what became of a request
    Explain(explain::ExplainCommand),
    /// Show who asked for leave to enter for a time, and take leave back
    Approvals {
        #[command(subcommand)]
        command: approvals::ApprovalsCommand,
    },
    /// Show the identity providers, and make the secret that a directory provisions with
    Idp {
        #[command(subcommand)]
        command: idp::IdpCommand,
    },
    /// List, rotate and revoke the keys that sign tokens
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Make, show, rotate and end the credentials of machines
    ServiceToken {
        #[command(subcommand)]
        command: service_token::ServiceTokenCommand,
    },
    /// Open applications behind a login from the command line
    Access {
        #[command(subcommand)]
        command: access::AccessCommand,
    },
    /// Make, show and delete the tokens that open the API
    Token {
        #[command(subcommand)]
        command: token::TokenCommand,
    },
    /// Show who is signed in, and end their sessions
    Sessions {
        #[command(subcommand)]
        command: sessions::SessionsCommand,
    },
    /// List users with their seats and last logins, and show what login and directory say of one
    Users {
        #[command(subcommand)]
        command: users::UsersCommand,
    },
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(
        long = "config",
        value_name = "FILE",
        default_value = "/etc/vestibule/vestibule.toml"
    )]
    config: PathBuf,
}

/// How a command ended (sysexits.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Fine,
    /// The answer to the question is no.
    No,
    /// Arguments or configuration cannot be used: `EX_USAGE`.
    Unusable,
    /// The store or another service did not answer: `EX_UNAVAILABLE`.
    Unavailable,
    /// The system refused threads, signals or the terminal: `EX_OSERR`.
    System,
    /// What came from outside is not what it should be: `EX_PROTOCOL`.
    Untrusted,
    /// Nobody is signed in, or may not: `EX_NOPERM`.
    Refused,
    /// As the command that was run on the person's behalf ended.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::Unusable => 64,
            Exit::Unavailable => 69,
            Exit::System => 71,
            Exit::Untrusted => 76,
            Exit::Refused => 77,
            Exit::Command(code) => code,
        })
    }
}

/// Where a command writes: results and complaints.
struct Terminal<'t> {
    out: &'t mut dyn Write,
    err: &'t mut dyn Write,
}

/// Runs the command that the arguments ask for; the first of them is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut terminal = Terminal {
        out: &mut io::stdout(),
        err: &mut io::stderr(),
    };
    let exit = match run_at(arguments, &mut terminal) {
        Ok(exit) => exit,
        // What cannot be written has no reader left: `vestibule check FILE | head` is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => {
            // Where the complaint cannot be written either, the exit code remains.
            let _ = writeln!(terminal.err, "vestibule: {error}");
            Exit::System
        }
    };
    exit.into()
}

fn run_at(arguments: impl IntoIterator<Item = OsString>, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments.command.run(terminal),
        Err(refused) if refused.use_stderr() => {
            write!(terminal.err, "{refused}")?;
            Ok(Exit::Unusable)
        }
        Err(help) => {
            write!(terminal.out, "{help}")?;
            Ok(Exit::Fine)
        }
    }
}

impl Command {
    fn run(self, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
        match self {
            Self::Serve(file) => serve::run(&file.config, terminal),
            Self::Check { file } => block_on(check::run(&file, terminal))?,
            Self::Apply(file) => block_on(apply::run(&file.config, terminal))?,
            Self::Explain(command) => block_on(explain::run(command, terminal))?,
            Self::Approvals { command } => block_on(approvals::run(command, terminal))?,
            Self::Idp { command } => block_on(idp::run(command, terminal))?,
            Self::Keys { command } => block_on(keys::run(command, terminal))?,
            Self::ServiceToken { command } => block_on(service_token::run(command, terminal))?,
            Self::Access { command } => block_on(access::run(command, terminal))?,
            Self::Token { command } => block_on(token::run(command, terminal))?,
            Self::Sessions { command } => block_on(sessions::run(command, terminal))?,
            Self::Users { command } => block_on(users::run(command, terminal))?,
        }
    }
}

/// Commands wait for the store and for nothing else: one thread does.
fn block_on<F: Future>(command: F) -> io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(command))
}

#[cfg(test)]
mod tests;
