//! The API through Cloudflare's own clients, which know nothing of this gateway but its base URL.
//!
//! `.ci/run` installs them under `target/sdk`, in the versions that `requirements.txt` and `package.json` name.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::{TOKEN, authority, tokens};
use crate::support::tenant;
use crate::support::world::{ACCOUNT, World};

#[tokio::test]
async fn objects_live_through_the_python_client() {
    let Some(python) = installed("target/sdk/python/bin/python") else {
        return;
    };
    let mut command = Command::new(python);
    command.arg(place("tests/it/api/sdk/python.py"));
    lives(command).await;
}

#[tokio::test]
async fn objects_live_through_the_node_client() {
    if installed("target/sdk/node/node_modules/cloudflare/package.json").is_none() {
        return;
    }
    let mut command = Command::new("node");
    command.arg(place("tests/it/api/sdk/node.mjs"));
    command.env("NODE_MODULES", place("target/sdk/node/node_modules"));
    lives(command).await;
}

/// Runs a client against a gateway of its own to the end.
async fn lives(mut command: Command) {
    // Clients ask the system for addresses, and it knows no names below `localhost`.
    let world = World::builder()
        .auth_host("localhost")
        .more(&tokens())
        .start()
        .await;
    command
        .env(
            "CLOUDFLARE_BASE_URL",
            format!("http://{}/client/v4", world.authority("login")),
        )
        .env("CLOUDFLARE_API_TOKEN", TOKEN)
        .env("ACCOUNT", ACCOUNT)
        .env("WIKI", world.host("wiki"))
        .env("TENANT", tenant::TENANT)
        .env("AUTHORITY", authority())
        .env("NO_PROXY", "localhost");
    let done = tokio::task::spawn_blocking(move || command.output());
    let Output {
        status,
        stdout,
        stderr,
    } = done.await.unwrap().unwrap();
    let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{said}\n{complained}");
}

fn place(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Where a client was installed; `None` with one visible line where it was not.
///
/// # Panics
/// Where it was not and `CI` is set: then a test that does not run must not pass.
fn installed(path: &str) -> Option<PathBuf> {
    let place = place(path);
    #[expect(clippy::disallowed_methods, reason = "tests find their tools as a shell does")]
    let ci = std::env::var("CI").is_ok();
    assert!(place.exists() || !ci, "CI has {path} to test with");
    if !place.exists() {
        eprintln!("skipped: there is no {path}; see .ci/run");
    }
    place.exists().then_some(place)
}
