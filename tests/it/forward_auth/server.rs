//! A proxy of the distribution's own, run with a sample as it is shipped, but for addresses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::world::{FORWARD_AUTH_SECRET, World};

/// A running proxy. It ends with the test.
pub(super) struct Server {
    child: Child,
    directory: tempfile::TempDir,
}

/// Where the distribution puts servers, beside the `PATH`.
const ELSEWHERE: &str = "/usr/sbin";

impl Server {
    /// nginx with a text for its `http` block; `None` with one visible line where there is none.
    ///
    /// # Panics
    /// Where there is none and `CI` is set: then a test that does not run must not pass.
    pub(super) async fn nginx(world: &World, http: &str) -> Option<Self> {
        let binary = find("nginx")?;
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/log info;\nevents {{}}\n\
             http {{\naccess_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n{}\n}}\n",
            http.replace("{directory}", &at.to_string())
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        std::fs::write(directory.path().join("denied.html"), "the operator's own page").unwrap();
        let log = directory.path().join("log");
        let mut command = Command::new(binary);
        command
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(&log);
        Some(Self::run(command, directory, world).await)
    }

    /// Caddy with a Caddyfile; see [`Server::nginx`].
    pub(super) async fn caddy(world: &World, text: &str) -> Option<Self> {
        let binary = find("caddy")?;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("Caddyfile");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(binary);
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&file);
        command.env("HOME", directory.path());
        command.env("XDG_DATA_HOME", directory.path());
        command.env("XDG_CONFIG_HOME", directory.path());
        command.env("FORWARD_AUTH_SECRET", FORWARD_AUTH_SECRET);
        Some(Self::run(command, directory, world).await)
    }

    async fn run(mut command: Command, directory: tempfile::TempDir, world: &World) -> Self {
        let said = std::fs::File::create(directory.path().join("said")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said);
        let child = command.spawn().unwrap();
        let mut server = Self { child, directory };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(world.front()).await.is_ok() {
                return server;
            }
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the proxy ended with {status}: {}", server.said());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the proxy does not listen: {}", server.said());
    }

    /// What it has written about itself.
    fn said(&self) -> String {
        let read = |name: &str| std::fs::read_to_string(self.directory.path().join(name)).unwrap_or_default();
        read("said") + &read("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find(name: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests find their tools as a shell does")]
    let (path, ci) = (
        std::env::var("PATH").unwrap_or_default(),
        std::env::var("CI").is_ok(),
    );
    let folders = path.split(':').chain([ELSEWHERE]);
    let found = folders
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file());
    assert!(found.is_some() || !ci, "CI has {name} to test with");
    if found.is_none() {
        eprintln!("skipped: no {name} is installed");
    }
    found
}

/// A sample with other words in it. Each must be there: what is tested is what is shipped.
pub(super) fn substituted(sample: &str, words: &[(&str, &str)]) -> String {
    words.iter().fold(sample.to_owned(), |text, (word, other)| {
        assert!(text.contains(word), "the sample does not say {word}");
        text.replace(word, other)
    })
}
