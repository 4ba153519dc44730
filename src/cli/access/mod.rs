//! `vestibule access`: applications behind a login, from the command line.
//!
//! It works with any auth host that speaks the protocol of Cloudflare Access. Which application an address belongs to
//! is told by the address itself ([`discover`]), signed by the auth host; a token comes from the kept one ([`keep`]),
//! for the organization token without a browser ([`exchange`]), or by way of the browser ([`transfer`]).

mod address;
mod curl;
mod discover;
mod exchange;
mod keep;
mod obtain;
mod service;
mod tokens;
mod transfer;
mod trouble;
mod web;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use self::address::AppAddress;
use self::keep::Keep;
use self::obtain::Obtained;
use self::service::ServiceToken;
use self::trouble::Trouble;
use self::web::Web;
use super::{Exit, Terminal};
use crate::clock::Clock;
use crate::config;
use crate::model::time::to_the_minute;

#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Sign in to an application with the browser, for the commands that follow
    Login {
        /// The application's address
        address: AppAddress,
        /// Only print the address to open
        #[arg(long)]
        no_browser: bool,
        #[command(flatten)]
        trust: Trust,
    },
    /// Print a token for an application, which requests carry in the header cf-access-token
    Token {
        /// The application's address
        #[arg(long = "app", value_name = "ADDRESS")]
        address: AppAddress,
        #[command(flatten)]
        trust: Trust,
    },
    /// Run curl on an application's address, with a token that the process list does not show
    Curl {
        #[command(flatten)]
        trust: Trust,
        /// The application's address
        address: AppAddress,
        /// What else curl is told
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "CURL ARGUMENTS"
        )]
        arguments: Vec<OsString>,
    },
    /// End the session at the auth host of an application, and forget its tokens
    Logout {
        /// The application's address
        address: AppAddress,
        #[command(flatten)]
        trust: Trust,
    },
}

/// Whom to trust besides the usual authorities.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// A further certificate authority, PEM
    #[arg(long = "ca", value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// What the commands work with.
struct Access {
    web: Web,
    keep: Keep,
    clock: Clock,
    service: Option<ServiceToken>,
}

impl Access {
    fn new(trust: &Trust) -> Result<Self, Trouble> {
        Ok(Self {
            web: Web::new(trust.ca.as_deref())?,
            keep: Keep::of_user()?,
            clock: Clock::system(),
            service: ServiceToken::from(&config::environment)?,
        })
    }
}

pub(super) async fn run(command: AccessCommand, terminal: &mut Terminal<'_>) -> io::Result<Exit> {
    let done = match &command {
        AccessCommand::Login {
            address,
            no_browser,
            trust,
        } => login(address, !no_browser, trust, terminal).await,
        AccessCommand::Token { address, trust } => token(address, trust, terminal).await,
        AccessCommand::Curl {
            trust,
            address,
            arguments,
        } => curl(address, arguments, trust, terminal).await,
        AccessCommand::Logout { address, trust } => logout(address, trust, terminal).await,
    };
    match done {
        Ok(exit) => Ok(exit),
        Err(Trouble::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(error),
        Err(trouble) => {
            writeln!(terminal.err, "vestibule: {trouble}")?;
            Ok(trouble.exit())
        }
    }
}

async fn login(
    address: &AppAddress,
    browser: bool,
    trust: &Trust,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Trouble> {
    let access = Access::new(trust)?;
    if let Some(service) = &access.service {
        service.token(&access.web, address).await?;
        writeln!(
            terminal.err,
            "The service token of the environment opens {address}; there is nothing to sign in to."
        )?;
        return Ok(Exit::Fine);
    }
    let application = discover::application(&access.web, address, &access.clock).await?;
    let known = obtain::without_browser(&access, &application).await?;
    let token = match known {
        Some(token) => token,
        None => transfer::run(&access, &application, browser, terminal).await?,
    };
    let until = jiff::Timestamp::from_second(token.expires).unwrap_or(jiff::Timestamp::MAX);
    writeln!(
        terminal.err,
        "Signed in to {address} as {} until {}.",
        token.email,
        to_the_minute(until)
    )?;
    Ok(Exit::Fine)
}

async fn token(address: &AppAddress, trust: &Trust, terminal: &mut Terminal<'_>) -> Result<Exit, Trouble> {
    let access = Access::new(trust)?;
    let text = match &access.service {
        Some(service) => service.token(&access.web, address).await?,
        None => signed_in(&access, address).await?.text,
    };
    writeln!(terminal.out, "{text}")?;
    Ok(Exit::Fine)
}

async fn curl(
    address: &AppAddress,
    arguments: &[OsString],
    trust: &Trust,
    terminal: &mut Terminal<'_>,
) -> Result<Exit, Trouble> {
    let access = Access::new(trust)?;
    let credential = match access.service.clone() {
        Some(service) => curl::Credential::Service(service),
        None => curl::Credential::Person(signed_in(&access, address).await?.text),
    };
    // What was said so far comes before what curl says.
    terminal.err.flush()?;
    curl::run(address, arguments, &credential, trust.ca.as_deref()).await
}

async fn logout(address: &AppAddress, trust: &Trust, terminal: &mut Terminal<'_>) -> Result<Exit, Trouble> {
    let access = Access::new(trust)?;
    let application = discover::application(&access.web, address, &access.clock).await?;
    let ended = exchange::end_session(&access, &application).await?;
    access.keep.forget(&application.auth)?;
    let said = if ended {
        "The session has ended, and its tokens are forgotten."
    } else {
        "There was no session to end."
    };
    writeln!(terminal.err, "{said}")?;
    Ok(Exit::Fine)
}

/// A token for the application, if one is to be had without asking anybody.
async fn signed_in(access: &Access, address: &AppAddress) -> Result<Obtained, Trouble> {
    let application = discover::application(&access.web, address, &access.clock).await?;
    let token = obtain::without_browser(access, &application).await?;
    token.ok_or_else(|| {
        Trouble::NotSignedIn(format!(
            "not signed in to {address}; run: vestibule access login {address}"
        ))
    })
}
