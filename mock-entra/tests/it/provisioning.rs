//! The provisioning job of the binary: an application is told of people and groups, as the flags say.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::IntoResponse;
use mock_entra::demo;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-that-guards-nothing";

/// What an application was told: method, path and body.
type Told = Arc<Mutex<Vec<(String, String, Value)>>>;

/// An application that knows nobody and takes whatever it is told with the right token.
async fn application() -> (SocketAddr, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
        let kept = Arc::clone(&kept);
        async move {
            if headers["authorization"] != format!("Bearer {TOKEN}") {
                return StatusCode::UNAUTHORIZED.into_response();
            }
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let id = {
                let mut kept = kept.lock().unwrap();
                kept.push((method.to_string(), uri.path().to_owned(), body));
                kept.len().to_string()
            };
            match method.as_str() {
                "GET" => (
                    StatusCode::OK,
                    json!({ "totalResults": 0, "Resources": [] }).to_string(),
                ),
                "POST" => (StatusCode::CREATED, json!({ "id": id }).to_string()),
                _ => (StatusCode::NO_CONTENT, String::new()),
            }
            .into_response()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (address, told)
}

fn mock(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mock-entra"));
    command.args(["--listen", "127.0.0.1:0"]).args(arguments);
    command
}

/// A mock that serves until the test ends.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Serving {
    /// The lines it prints, up to one with this in it.
    fn up_to(&mut self, text: &str) -> Vec<String> {
        let mut lines = Vec::new();
        let mut printed = BufReader::new(self.0.stdout.as_mut().unwrap());
        loop {
            let mut line = String::new();
            assert!(printed.read_line(&mut line).unwrap() > 0, "{lines:?}");
            lines.push(line.clone());
            if line.contains(text) {
                return lines;
            }
        }
    }
}

fn post(address: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /provisioning HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_flags_start_a_job_that_tells_by_itself_and_on_the_page() {
    let (application, told) = application().await;
    let tenant_url = format!("http://{application}/scim?aadOptscim062020");
    let mut command = mock(&[
        "--provision-to",
        &tenant_url,
        "--provision-token-env",
        "A_TOKEN_OF_THIS_TEST",
        "--provision-dialect",
        "flagged",
        "--provision-assign",
        "engineering",
        "--provision-assign",
        demo::BOB,
        "--provision-every",
        "3600",
    ]);
    command.env("A_TOKEN_OF_THIS_TEST", TOKEN).stdout(Stdio::piped());
    let mut serving = Serving(command.spawn().unwrap());
    let (printed, mut serving) = tokio::task::spawn_blocking(move || {
        let printed = serving.up_to("/provisioning");
        (printed, serving)
    })
    .await
    .unwrap();
    let all = printed.concat();
    assert!(
        all.contains("Provisioning to") && all.contains("every 3600 seconds"),
        "{all}"
    );
    assert!(!all.contains(TOKEN), "{all}");

    let began = Instant::now();
    let is = |told: &[(String, String, Value)], method: &str, path: &str| {
        told.iter().filter(|(m, p, _)| m == method && p == path).count()
    };
    let all_told = || {
        let told = told.lock().unwrap();
        is(&told, "POST", "/scim/Groups") > 0 && told.last().is_some_and(|(method, ..)| method == "PATCH")
    };
    while !all_told() {
        assert!(began.elapsed() < Duration::from_secs(10), "{told:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    {
        let told = told.lock().unwrap();
        assert_eq!(
            is(&told, "POST", "/scim/Users"),
            2,
            "Alice in the group, and Bob: {told:?}"
        );
        let (_, _, joined) = told.last().unwrap();
        assert_eq!(joined["Operations"][0]["op"], "add", "the flagged dialect");
    }

    // Disabled on the page: told at once.
    let address = all
        .split("http://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .unwrap()
        .to_owned();
    let form = format!("what=disable&oid={}", demo::ALICE_OID);
    let page = tokio::task::spawn_blocking(move || post(&address, &form))
        .await
        .unwrap();
    assert!(
        page.contains("204 PATCH") && page.contains("Run a cycle"),
        "{page}"
    );
    let disabled = told.lock().unwrap().last().unwrap().2.clone();
    assert_eq!(disabled["Operations"][0]["value"]["active"], false, "{disabled}");
    let report = tokio::task::spawn_blocking(move || serving.up_to("requests"))
        .await
        .unwrap();
    assert!(report.concat().contains("provisioning: "), "{report:?}");
}

#[test]
fn a_job_that_cannot_be_is_said_at_the_start() {
    let to = ["--provision-to", "http://127.0.0.1:9/scim"];
    let cases: &[(&[&str], &str)] = &[
        (&to, "--provision-token"),
        (&["--provision-token-env", "X"], "--provision-to"),
        (
            &[to[0], to[1], "--provision-token-env", "NO_SUCH_VARIABLE_HERE"],
            "NO_SUCH_VARIABLE_HERE",
        ),
        (
            &[to[0], to[1], "--provision-token-file", "/nowhere/token"],
            "/nowhere/token",
        ),
        (
            &[to[0], "https://a.example/scim", "--provision-token-env", "PATH"],
            "http://",
        ),
        (
            &[
                to[0],
                to[1],
                "--provision-token-env",
                "PATH",
                "--provision-assign",
                "Nobody",
            ],
            "Nobody",
        ),
    ];
    for (arguments, wanted) in cases {
        let done = mock(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            !done.status.success() && said.contains(wanted),
            "{arguments:?}: {said}"
        );
    }
}
