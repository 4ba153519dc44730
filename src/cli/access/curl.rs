//! The system's curl, with the credential told on its standard input: what stands in its arguments, everybody on the
//! machine can read.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use super::Exit;
use super::address::AppAddress;
use super::service::{ID_HEADER, SECRET_HEADER, ServiceToken};
use super::trouble::Trouble;
use crate::model::cookie_names::AUTHORIZATION;
use crate::session::identify::TOKEN_HEADER;

/// What opens the application.
pub(super) enum Credential {
    Person(String),
    Service(ServiceToken),
}

/// Runs it to its end, and ends as it does.
pub(super) async fn run(
    address: &AppAddress,
    arguments: &[OsString],
    credential: &Credential,
    ca: Option<&Path>,
) -> Result<Exit, Trouble> {
    let settings = settings(arguments, credential, ca)?;
    let mut command = Command::new("curl");
    command
        .args(["--config", "-"])
        .args(arguments)
        .arg(address.url().as_str())
        .stdin(Stdio::piped());
    let ended = tokio::task::spawn_blocking(move || -> io::Result<std::process::ExitStatus> {
        let mut curl = command.spawn()?;
        if let Some(mut input) = curl.stdin.take() {
            input.write_all(settings.as_bytes())?;
        }
        curl.wait()
    });
    let status = match ended.await.map_err(io::Error::other)? {
        Ok(status) => status,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Trouble::Usage("curl is not installed".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(Exit::System, Exit::Command))
}

/// curl's configuration (its man page, `-K`).
fn settings(arguments: &[OsString], credential: &Credential, ca: Option<&Path>) -> Result<String, Trouble> {
    let before = std::iter::once(None).chain(arguments.iter().map(Some));
    let mut pairs = before.zip(arguments);
    if pairs.any(|(before, argument)| reads_input(before, argument)) {
        return Err(Trouble::Usage(
            "curl is told the token on its standard input, so nothing else can be read from there; use a file"
                .to_owned(),
        ));
    }
    if arguments.iter().any(|argument| trusts_everybody(argument)) {
        return Err(Trouble::Usage(
            "with --location-trusted, curl would send the token to wherever the application redirects; use --location"
                .to_owned(),
        ));
    }
    let follows = arguments.iter().any(|argument| may_follow(argument));
    // curl has read the person's own file by now, which may have it follow redirects, and trust where they lead.
    let first = if follows {
        "no-location-trusted\n"
    } else {
        "no-location\n"
    };
    let told = match credential {
        // A header of one's own is sent to wherever a redirect leads; of cookies and passwords curl knows better.
        Credential::Person(token) if follows => format!("header = \"Cookie: {AUTHORIZATION}={token}\"\n"),
        Credential::Person(token) => format!("header = \"{TOKEN_HEADER}: {token}\"\n"),
        Credential::Service(_) if follows => {
            return Err(Trouble::Usage(
                "with --location, --follow or a file of settings, curl could send the service token to wherever the application redirects; leave it out"
                    .to_owned(),
            ));
        }
        Credential::Service(token) => format!(
            "header = \"{ID_HEADER}: {}\"\nheader = \"{SECRET_HEADER}: {}\"\n",
            token.id, token.secret
        ),
    };
    let mut settings = [first, &told].concat();
    if let Some(ca) = ca {
        let path = ca.to_str().filter(|path| !path.contains(['"', '\\', '\n']));
        let path = path.ok_or_else(|| Trouble::Usage("curl cannot be told of this --ca".to_owned()))?;
        settings += &["cacert = \"", path, "\"\n"].concat();
    }
    Ok(settings)
}

/// `-`, `-d @-`, `-F x=@-`, `--data=@-` … A bare `-` behind an option that writes is the standard output.
fn reads_input(before: Option<&OsString>, argument: &OsStr) -> bool {
    const WRITE: &[&str] = &[
        "-o",
        "--output",
        "-D",
        "--dump-header",
        "-c",
        "--cookie-jar",
        "--trace",
        "--trace-ascii",
        "--stderr",
    ];
    let writes = before.and_then(|option| option.to_str()).is_some_and(|option| {
        // Short options may stand together: `-sD -`.
        let together =
            option.starts_with('-') && !option.starts_with("--") && option.ends_with(['o', 'D', 'c']);
        WRITE.contains(&option) || together
    });
    argument.to_str().is_some_and(|text| {
        (text == "-" && !writes) || text == "-T-" || text.ends_with("@-") || text.ends_with("=<-")
    })
}

/// `-L`, also among others (`-sSL`), `--location` and `--follow`; and `-K` and `--config`, behind which any setting may
/// stand. Taking one too many for it does no harm. curl takes the beginning of an option for the whole.
fn may_follow(argument: &OsStr) -> bool {
    const LONG: [&str; 3] = ["--loc", "--fol", "--conf"];
    argument.to_str().is_some_and(|text| {
        let short = text.starts_with('-') && !text.starts_with("--");
        LONG.iter().any(|option| text.starts_with(option)) || (short && text.contains(['L', 'K']))
    })
}

/// `--location-trusted`, by which cookies and passwords go wherever a redirect leads.
fn trusts_everybody(argument: &OsStr) -> bool {
    argument
        .to_str()
        .is_some_and(|text| text.starts_with("--location-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &[&str], credential: &Credential) -> Result<String, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        settings(&arguments, credential, None).map_err(|trouble| trouble.to_string())
    }

    #[test]
    fn a_token_goes_to_the_application_and_nowhere_else() {
        let person = Credential::Person("a.b.c".to_owned());
        assert_eq!(
            told(&["-s", "--head"], &person).unwrap(),
            "no-location\nheader = \"cf-access-token: a.b.c\"\n"
        );
        for following in [
            &["-L"][..],
            &["-sSL"],
            &["--location"],
            &["--follow"],
            &["-K", "file"],
            &["-sK", "file"],
            &["-Kfile"],
            &["--config", "file"],
            &["--config=file"],
        ] {
            assert_eq!(
                told(following, &person).unwrap(),
                "no-location-trusted\nheader = \"Cookie: CF_Authorization=a.b.c\"\n",
                "{following:?}"
            );
        }
        // That sends cookies and passwords to every host.
        assert!(told(&["-s", "--location-trusted"], &person).is_err());
    }

    #[test]
    fn the_secret_of_a_service_token_follows_no_redirect() {
        let service = Credential::Service(ServiceToken {
            id: "x.access".to_owned(),
            secret: "s".to_owned(),
        });
        assert_eq!(
            told(&[], &service).unwrap(),
            "no-location\nheader = \"CF-Access-Client-Id: x.access\"\nheader = \"CF-Access-Client-Secret: s\"\n"
        );
        for following in [
            &["-fL"][..],
            &["--follow"],
            &["--location-trusted"],
            &["-K", "file"],
            &["--config", "file"],
        ] {
            assert!(told(following, &service).is_err(), "{following:?}");
        }
    }

    #[test]
    fn standard_input_is_taken() {
        let person = Credential::Person("a.b.c".to_owned());
        for reading in [
            &["-d", "@-"][..],
            &["-T", "-"],
            &["-T-"],
            &["-F", "file=@-"],
            &["--data-binary=@-"],
        ] {
            assert!(told(reading, &person).is_err(), "{reading:?}");
        }
        assert!(told(&["-d", "@file", "-o", "out"], &person).is_ok());
    }
}
