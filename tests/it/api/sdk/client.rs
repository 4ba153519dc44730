//! The clients, and how they are run.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use super::super::TOKEN;
use crate::support::world::{ACCOUNT, World};

/// One of Cloudflare's own clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Python,
    Node,
}

impl Client {
    /// Whether it was installed; says so in one visible line where it was not.
    ///
    /// # Panics
    /// Where it was not and `CI` is set: then a test that does not run must not pass.
    pub(super) fn is_installed(self) -> bool {
        let path = match self {
            Self::Python => PYTHON,
            Self::Node => "target/sdk/node/node_modules/cloudflare/package.json",
        };
        let there = place(path).exists();
        #[expect(clippy::disallowed_methods, reason = "tests find their tools as a shell does")]
        let ci = std::env::var("CI").is_ok();
        assert!(there || !ci, "CI has {path} to test with");
        if !there {
            eprintln!("skipped: there is no {path}; see .ci/run");
        }
        there
    }

    /// Lets it live through what there is about a subject, with these words in its environment; what it hands over.
    pub(super) async fn live(self, world: &World, subject: &str, known: &[(&str, &str)]) -> Value {
        let mut command = match self {
            Self::Python => {
                let mut command = Command::new(place(PYTHON));
                command.arg(place(&format!("tests/it/api/sdk/python/{subject}.py")));
                // Nothing that is made on the way stays among the sources.
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(place(&format!("tests/it/api/sdk/node/{subject}.mjs")));
                command.env("NODE_MODULES", place("target/sdk/node/node_modules"));
                command
            }
        };
        let base = format!("http://{}/client/v4", world.authority("login"));
        command
            .env("CLOUDFLARE_BASE_URL", base)
            .env("CLOUDFLARE_API_TOKEN", TOKEN)
            .env("ACCOUNT", ACCOUNT)
            .env("WIKI", world.host("wiki"))
            .env("NO_PROXY", "localhost")
            .envs(known.iter().copied());
        let done = tokio::task::spawn_blocking(move || command.output());
        let Output {
            status,
            stdout,
            stderr,
        } = done.await.unwrap().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{subject}: {said}\n{complained}");
        let left = said.lines().find_map(|line| line.strip_prefix("left: "));
        left.map_or(Value::Null, |left| serde_json::from_str(left).unwrap())
    }
}

const PYTHON: &str = "target/sdk/python/bin/python";

fn place(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
