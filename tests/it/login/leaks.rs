//! What must never stand in a log, at whatever level: the program itself writes it, as an operator would run it.

use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::tenant::{ADAM, ALICE, SECRET};
use crate::support::world::{MASTER_KEY, World};

#[tokio::test]
async fn no_secret_of_a_login_is_in_the_log() {
    let mut world = World::builder().more("[log]\nlevel = \"trace\"").start().await;
    world.stop().await;
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["serve", "--config"])
        .arg(world.file())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = gateway.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    let began = Instant::now();
    while tokio::net::TcpStream::connect(world.dial().address)
        .await
        .is_err()
    {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the gateway does not start"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let (wiki, login) = (world.host("wiki"), world.host("login"));
    let mut alice = world.person(ALICE);
    let callback = alice
        .up_to_callback(&wiki, "/x?secret-of-the-application=1")
        .await;
    let handed = alice
        .follow_while(callback.clone(), |url| !url.path().ends_with("/authorized"))
        .await;
    assert_eq!(alice.follow(handed.url.clone()).await.status(), 200);
    // And what goes wrong: a code that was used, a token that is not ours, a callback of somebody else.
    world.anonymous().get(&callback).await;
    let forged = format!(
        "CF_Authorization={}x",
        alice.cookie(&wiki, "CF_Authorization").unwrap()
    );
    let authorization = ("Authorization", "Bearer of-bad-news");
    world
        .anonymous()
        .fetch(&wiki, "/x", &[("Cookie", &forged), authorization])
        .await;
    world
        .anonymous()
        .fetch(&wiki, "/..%2f?secret-of-the-application=1", &[authorization])
        .await;
    world
        .entra
        .fail_next(mock_entra::Fault::Token { code: 7_000_215 });
    assert_ne!(world.person(ALICE).open(&wiki, "/x").await.status(), 200);

    // And the link that opens a provider's test.
    let made = world.type_in(&["idp", "test", "Entra ID"]).await.fine();
    let link: url::Url = made.lines().next().unwrap().parse().unwrap();
    let go: url::Url = format!("{link}&go=1").parse().unwrap();
    let mut adam = world.person(ADAM);
    assert_eq!(adam.get(&link).await.status, 200);
    assert_eq!(adam.follow(go).await.status(), 200);
    assert_eq!(adam.get(&link).await.status, 403);

    let mut secrets: Vec<String> = [&callback, &handed.url, &link]
        .iter()
        .flat_map(|url| {
            url.query_pairs()
                .map(|(_, value)| value.into_owned())
                .collect::<Vec<_>>()
        })
        .filter(|value| value.len() > 8)
        .collect();
    secrets.extend(
        ["CF_Authorization", "CF_AppSession"]
            .iter()
            .filter_map(|name| alice.cookie(&wiki, name)),
    );
    secrets.extend(
        ["CF_Authorization", "CF_Session"]
            .iter()
            .filter_map(|name| alice.cookie(&login, name)),
    );
    secrets.extend([SECRET, MASTER_KEY, "of-bad-news", "secret-of-the-application"].map(str::to_owned));
    // The beginning of every JSON Web Token, whoever made it.
    secrets.push("eyJ".to_owned());
    assert!(secrets.len() > 10, "{secrets:?}");

    gateway.kill().unwrap();
    gateway.wait().unwrap();
    let log = log.join().unwrap();
    for told in [
        "Signed in",
        "Malformed request",
        "Answered",
        "A provider was tested",
    ] {
        assert!(log.contains(told), "the log does not tell {told:?}: {log}");
    }
    for secret in secrets {
        let told = log.lines().find(|line| line.contains(&secret));
        assert!(told.is_none(), "{secret} stands in {told:?}");
    }
}
