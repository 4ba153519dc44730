//! `vestibule access`, run as a person runs it, against a gateway that serves.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::cloudflared::unverified;
use super::{aud, say_yes};
use crate::support::origin::MARK;
use crate::support::tenant::ALICE;
use crate::support::webdriver::Browser;
use crate::support::world::World;

/// A person's terminal: a home of its own.
struct Terminal {
    home: tempfile::TempDir,
}

/// A login that waits for the browser.
struct Waiting {
    child: Child,
    address: Url,
    code: String,
}

impl Terminal {
    fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command
            .arg("access")
            .args(arguments)
            .env("HOME", self.home.path())
            .env("NO_PROXY", "*")
            .env_remove("XDG_STATE_HOME")
            .env_remove("SSL_CERT_FILE")
            .stdin(Stdio::null());
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        ended(self.command(arguments)).await
    }

    /// Begins to sign in, as far as the address to open.
    async fn begin(&self, address: &str) -> Waiting {
        let mut command = self.command(&["login", "--no-browser", address]);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        tokio::task::spawn_blocking(move || {
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            let mut said = Vec::new();
            let mut next = |start: &str| {
                lines
                    .find(|line| {
                        said.push(line.clone());
                        line.starts_with(start)
                    })
                    .unwrap_or_else(|| panic!("{start} is not in {said:?}"))
            };
            let address = next("  http").trim().parse().unwrap();
            let code = next("Go on there only");
            let code = code.rsplit(' ').next().unwrap().to_owned();
            std::thread::spawn(move || lines.for_each(drop));
            Waiting { child, address, code }
        })
        .await
        .unwrap()
    }

    /// Signs in with Alice's browser.
    async fn sign_in(&self, world: &World, address: &str) {
        let waiting = self.begin(address).await;
        let mut alice = world.person(ALICE);
        let page = alice.follow(waiting.address.clone()).await;
        assert!(page.text().contains(&waiting.code), "{}", page.text());
        assert!(page.text().contains("vestibule access"), "{}", page.text());
        assert_eq!(say_yes(&mut alice, &page).await.status, 200);
        assert_eq!(waiting.code_of_exit().await, 0);
    }
}

impl Waiting {
    async fn code_of_exit(mut self) -> i32 {
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        ended.await.unwrap().code().unwrap()
    }
}

async fn ended(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn address(world: &World, host: &str, path: &str) -> String {
    format!("{}://{}{path}", world.scheme(), world.authority(host))
}

/// Every token below a home.
fn tokens(home: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut look = vec![home.to_owned()];
    while let Some(directory) = look.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look.push(path);
            } else {
                let mode = path.metadata().unwrap().permissions().mode() & 0o777;
                found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), mode));
            }
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_sign_in_opens_every_application_until_the_logout() {
    let world = World::start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/deep?x=1");
    let nobody = terminal.run(&["token", "--app", &wiki]).await;
    assert_eq!(nobody.status.code(), Some(77), "{}", err(&nobody));
    assert!(
        err(&nobody).contains("run: vestibule access login"),
        "{}",
        err(&nobody)
    );
    assert_eq!(out(&nobody), "");

    terminal.sign_in(&world, &wiki).await;
    let kept = tokens(terminal.home.path());
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().all(|(_, mode)| *mode == 0o600), "{kept:?}");
    let token = terminal.run(&["token", "--app", &wiki]).await;
    assert_eq!(token.status.code(), Some(0), "{}", err(&token));
    assert_eq!(unverified(&out(&token))["aud"][0], aud(&world, "Wiki"));
    // Signed in is signed in, and another application needs no browser.
    let again = terminal.run(&["login", &wiki]).await;
    assert!(
        err(&again).contains(&format!("as {ALICE} until")),
        "{}",
        err(&again)
    );
    let other = terminal
        .run(&["token", "--app", &address(&world, "other", "/")])
        .await;
    assert_eq!(
        unverified(&out(&other))["aud"][0],
        aud(&world, "Other"),
        "{}",
        err(&other)
    );
    // Where she may not go, she is told so.
    let admin = terminal
        .run(&["token", "--app", &address(&world, "wiki", "/admin")])
        .await;
    assert_eq!(admin.status.code(), Some(77), "{}", err(&admin));
    assert!(err(&admin).contains("may not open"), "{}", err(&admin));

    let opened = terminal.run(&["curl", &wiki, "-s", "-D", "-"]).await;
    assert_eq!(opened.status.code(), Some(0), "{}", err(&opened));
    assert!(out(&opened).contains(MARK), "{}", out(&opened));
    let followed = terminal.run(&["curl", &wiki, "-sSL"]).await;
    assert!(out(&followed).contains(MARK), "{}", out(&followed));
    // curl's own end is the command's.
    let failed = terminal.run(&["curl", &wiki, "-s", "--no-such-option"]).await;
    assert_eq!(failed.status.code(), Some(2), "{}", err(&failed));

    let token = out(&token);
    let gone = terminal.run(&["logout", &wiki]).await;
    assert_eq!(gone.status.code(), Some(0), "{}", err(&gone));
    assert!(tokens(terminal.home.path()).is_empty());
    assert_eq!(
        terminal.run(&["token", "--app", &wiki]).await.status.code(),
        Some(77)
    );
    let mut thief = world.anonymous();
    let headers = [("cf-access-token", token.as_str())];
    assert_eq!(thief.fetch(&world.host("wiki"), "/", &headers).await.status, 302);
}

/// A token of the application that has ended is replaced for the one of the organization, without a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_ended_is_renewed_in_silence() {
    // Within the five minutes by which the program lets clocks differ.
    let world = World::builder().wiki("session_duration = \"3m\"").start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/");
    terminal.sign_in(&world, &wiki).await;
    let first = out(&terminal.run(&["token", "--app", &wiki]).await);
    world.pass(jiff::SignedDuration::from_mins(4));
    let second = terminal.run(&["token", "--app", &wiki]).await;
    assert_eq!(second.status.code(), Some(0), "{}", err(&second));
    assert_ne!(out(&second), first);
}

/// Programs are answered 401 there, and the way to the login is only told to who takes a page.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_answers_programs_401_is_opened_in_silence_too() {
    let world = World::builder().wiki("unauthenticated_401 = true").start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/");
    terminal.sign_in(&world, &address(&world, "other", "/")).await;
    let token = terminal.run(&["token", "--app", &wiki]).await;
    assert_eq!(token.status.code(), Some(0), "{}", err(&token));
    assert_eq!(unverified(&out(&token))["aud"][0], aud(&world, "Wiki"));
    let opened = terminal.run(&["curl", &wiki, "-s"]).await;
    assert!(out(&opened).contains(MARK), "{}", out(&opened));
    // And the sign-in may begin there.
    let terminal = Terminal::new();
    terminal.sign_in(&world, &wiki).await;
}

/// What a command is told on its command line, everybody on the machine can read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_is_not_in_the_arguments_of_curl() {
    let world = World::start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/x");
    terminal.sign_in(&world, &wiki).await;
    let token = out(&terminal.run(&["token", "--app", &wiki]).await);
    let bin = terminal.home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\"\nenv\necho ---\ncat\n";
    std::fs::write(bin.join("curl"), script).unwrap();
    std::fs::set_permissions(bin.join("curl"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = terminal.command(&["curl", &wiki, "-s", "-o", "file"]);
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let said = out(&ended(command).await);
    let (seen, told) = said.split_once("---").unwrap();
    assert!(
        seen.starts_with(&format!("--config\n-\n-s\n-o\nfile\n{wiki}\n")),
        "{seen}"
    );
    assert!(!seen.contains(&token), "{seen}");
    assert_eq!(
        told.trim(),
        format!("no-location\nheader = \"cf-access-token: {token}\"")
    );
}

/// curl reads a file of the person's own first, and would send a header of ours to wherever it is then sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_redirect_takes_the_token_away() {
    let world = World::start().await;
    let terminal = Terminal::new();
    let away = address(&world, "wiki", "/away");
    terminal.sign_in(&world, &away).await;
    let curlrc = terminal.home.path().join(".curlrc");
    let file = terminal.home.path().join("settings");
    for (rc, more, follows) in [
        ("location\n", &[][..], false),
        ("location-trusted\n", &[][..], false),
        ("location-trusted\n", &["-L"][..], true),
        ("", &["-K", file.to_str().unwrap()][..], true),
    ] {
        std::fs::write(&curlrc, rc).unwrap();
        std::fs::write(&file, "location\n").unwrap();
        let hits = world.origin.hits();
        let told = [&["curl", away.as_str(), "-s"][..], more].concat();
        let ended = terminal.run(&told).await;
        assert_eq!(ended.status.code(), Some(0), "{rc} {more:?}: {}", err(&ended));
        let seen = world.origin.since(hits);
        assert_eq!(seen.len(), if follows { 2 } else { 1 }, "{rc} {more:?}");
        assert!(
            seen[0].head.contains("cf-access-jwt-assertion"),
            "{}",
            seen[0].head
        );
        for elsewhere in &seen[1..] {
            let head = elsewhere.head.to_ascii_lowercase();
            assert!(!head.contains("cf-access") && !head.contains("cookie"), "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_can_read_is_not_used() {
    let world = World::start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/");
    terminal.sign_in(&world, &wiki).await;
    let organization = terminal
        .home
        .path()
        .join(".local/state/vestibule/access")
        .join(world.authority("login").replace(':', "_"))
        .join("organization.token");
    std::fs::set_permissions(&organization, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = terminal.run(&["token", "--app", &wiki]).await;
    assert_eq!(refused.status.code(), Some(64));
    assert!(
        err(&refused).contains("can be read by others"),
        "{}",
        err(&refused)
    );
    assert_eq!(out(&refused), "");
}

/// An address that passes for an application of somebody else's organization is found out before anything is opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_borrows_the_word_of_another_is_not_trusted() {
    let world = World::start().await;
    let mut anybody = world.anonymous();
    let wiki = anybody.address(&world.host("wiki"), "/");
    let asks = [("cf-access-metadata-request", "true")];
    let metadata = anybody.request("HEAD", &wiki, &asks, b"").await;
    let metadata = metadata.header("cf-access-metadata").unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let evil = format!("http://evil.localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let metadata = metadata.clone();
            tokio::spawn(async move {
                let mut head = vec![0; 4096];
                let _ = stream.read(&mut head).await;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncf-access-metadata: {metadata}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    let terminal = Terminal::new();
    let refused = terminal.run(&["login", "--no-browser", &evil]).await;
    assert_eq!(refused.status.code(), Some(76), "{}", err(&refused));
    assert!(err(&refused).contains("about another host"), "{}", err(&refused));
    assert!(tokens(terminal.home.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_told_with_their_exit_code() {
    let world = World::start().await;
    let terminal = Terminal::new();
    let public = address(&world, "wiki", "/public/");
    let wiki = address(&world, "wiki", "/");
    for (arguments, code, said) in [
        (vec!["login", "http://wiki.example.com/"], 64, "use https"),
        (vec!["login", "ftp://wiki.example.com/"], 64, "not an address"),
        (vec!["login", "http://127.0.0.1:1/"], 69, "cannot be reached"),
        (
            vec!["login", public.as_str()],
            77,
            "no application that needs a sign-in",
        ),
        (vec!["logout", wiki.as_str()], 0, "no session to end"),
        (
            vec!["token", "--app", &wiki, "--ca", "/nonexistent.pem"],
            64,
            "holds no certificate",
        ),
    ] {
        let output = terminal.run(&arguments).await;
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            err(&output)
        );
        assert!(err(&output).contains(said), "{arguments:?}: {}", err(&output));
    }
    let mut half = terminal.command(&["token", "--app", &wiki]);
    half.env("VESTIBULE_CLIENT_ID", "x.access");
    let output = ended(half).await;
    assert_eq!(output.status.code(), Some(64), "{}", err(&output));
    assert!(
        err(&output).contains("VESTIBULE_CLIENT_SECRET is not"),
        "{}",
        err(&output)
    );
}

/// The whole of it with a browser: the person sees the same code twice, and says yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_lets_the_command_line_in_with_a_real_browser() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let world = World::start().await;
    let terminal = Terminal::new();
    let wiki = address(&world, "wiki", "/deep#place");
    let waiting = terminal.begin(&wiki).await;
    browser.open(waiting.address.as_str()).await;
    browser.arrives_at(&world.entra.base_url()).await;
    browser.click(&format!("button[value=\"{ALICE}\"]")).await;
    browser
        .arrives_at(&address(&world, "login", "/cdn-cgi/access/transfer"))
        .await;
    browser.sees(&waiting.code).await;
    browser.sees("The program waits at 127.0.0.1").await;
    browser.click("button.primary").await;
    browser.sees("You can go back to your terminal").await;
    assert_eq!(waiting.code_of_exit().await, 0);
    let opened = terminal.run(&["curl", &wiki, "-s"]).await;
    assert!(out(&opened).contains(MARK), "{}", out(&opened));
    // The page that was shown says yes no second time.
    browser.run("history.back()").await;
    browser.click("button.primary").await;
    browser.sees("This was approved already").await;
}
