//! A real browser: Chromium, driven through chromedriver by the W3C `WebDriver` protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::wire::{Dial, Reply};

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// The key under which `WebDriver` names elements (its §12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Browsers at once: more would wait for each other on a small machine, and run into their own limits of time.
static PLACES: Semaphore = Semaphore::const_new(2);

/// A browser with a profile of its own. It ends when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    profile: tempfile::TempDir,
    _place: SemaphorePermit<'static>,
}

impl Browser {
    /// A fresh browser, or `None` with one visible line where there is no chromedriver.
    ///
    /// # Panics
    /// Where there is none and `CI` is set: then a test that does not run must not pass.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&json!({})).await
    }

    /// A browser whose pages run no script.
    pub(crate) async fn without_script() -> Option<Self> {
        Self::start_with(&json!({"profile.managed_default_content_settings.javascript": 2})).await
    }

    async fn start_with(preferences: &Value) -> Option<Self> {
        let Some(program) = chromedriver() else {
            let line = b"SKIPPED in the browser: no chromedriver on the path\n";
            // Not `eprintln!`, which the harness would swallow.
            std::io::stderr().write_all(line).unwrap();
            return None;
        };
        let place = PLACES.acquire().await.unwrap();
        let mut driver = Command::new(program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("successfully on port ")?
                .1
                .trim_end_matches('.')
                .parse()
                .ok()
        });
        // The pipe is kept drained: a driver that cannot write would stop.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self {
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver says its port"))),
            session: String::new(),
            profile: tempfile::tempdir().unwrap(),
            _place: place,
        };
        let directory = format!("--user-data-dir={}", browser.profile.path().display());
        let options = json!({
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--disable-component-update",
                "--disable-sync", "--no-proxy-server", "--window-size=1000,800",
                // Nothing but this machine is looked up.
                "--host-resolver-rules=MAP *.localhost 127.0.0.1, EXCLUDE 127.0.0.1, MAP * ~NOTFOUND",
                directory,
            ],
            "prefs": preferences,
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let made = browser.ask("POST", "/session", Some(wanted)).await;
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    /// Opens an address and waits until its page is loaded.
    pub(crate) async fn open(&self, url: &str) {
        self.command("url", json!({"url": url})).await;
    }

    /// The address of the page, fragment included.
    pub(crate) async fn url(&self) -> String {
        self.get("url").await.as_str().unwrap().to_owned()
    }

    /// The visible text of the page.
    pub(crate) async fn text(&self) -> String {
        let body = self.find("body").await.expect("a page has a body");
        self.get(&format!("element/{body}/text"))
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until this text is to be seen no more.
    pub(crate) async fn sees_no_more(&self, unwanted: &str) {
        let began = Instant::now();
        loop {
            // Between two pages there is no text at all.
            let text = self.try_text().await;
            if text.as_ref().is_some_and(|text| !text.contains(unwanted)) {
                return;
            }
            if began.elapsed() > PATIENCE {
                self.give_up(&format!("{unwanted:?} still in: {}", text.unwrap_or_default()))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until this text is to be seen.
    pub(crate) async fn sees(&self, wanted: &str) {
        let began = Instant::now();
        loop {
            // The page may be about to go: then it has no text for a moment.
            let text = self.try_text().await.unwrap_or_default();
            if text.contains(wanted) {
                return;
            }
            if began.elapsed() > PATIENCE {
                self.give_up(&format!("no {wanted:?} in: {text}")).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the address begins so.
    pub(crate) async fn arrives_at(&self, start: &str) {
        let began = Instant::now();
        loop {
            let url = self.url().await;
            if url.starts_with(start) {
                return;
            }
            if began.elapsed() > PATIENCE {
                self.give_up(&format!("not at {start}: {}", self.text().await))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks what a CSS selector finds, once it is there.
    pub(crate) async fn click(&self, selector: &str) {
        let began = Instant::now();
        loop {
            if let Some(element) = self.find(selector).await {
                self.command(&format!("element/{element}/click"), json!({})).await;
                return;
            }
            if began.elapsed() > PATIENCE {
                self.give_up(&format!("no {selector} in: {}", self.text().await))
                    .await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Runs a script in the page and gives what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []}))
            .await
    }

    /// Opens a tab and goes to it.
    pub(crate) async fn new_tab(&self) -> String {
        let made = self.command("window/new", json!({"type": "tab"})).await;
        let tab = made["handle"].as_str().unwrap().to_owned();
        self.go_to_tab(&tab).await;
        tab
    }

    /// Makes the window as wide and high as this.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        self.command("window/rect", json!({"width": width, "height": height}))
            .await;
    }

    /// The tab that commands go to.
    pub(crate) async fn tab(&self) -> String {
        self.get("window").await.as_str().unwrap().to_owned()
    }

    pub(crate) async fn go_to_tab(&self, tab: &str) {
        self.command("window", json!({"handle": tab})).await;
    }

    /// Keeps a picture of the page and fails the test.
    async fn give_up(&self, why: &str) -> ! {
        let picture = self.get("screenshot").await;
        let picture = base64::engine::general_purpose::STANDARD
            .decode(picture.as_str().unwrap())
            .unwrap();
        let file = tempfile::Builder::new()
            .prefix("vestibule-browser-")
            .suffix(".png")
            .tempfile()
            .unwrap();
        let (_, path) = file.keep().unwrap();
        std::fs::write(&path, picture).unwrap();
        panic!("at {}: {why} (picture: {})", self.url().await, path.display());
    }

    async fn find(&self, selector: &str) -> Option<String> {
        let what = json!({"using": "css selector", "value": selector});
        let found = self.try_command("element", what).await.ok()?;
        Some(found[ELEMENT].as_str().unwrap().to_owned())
    }

    async fn try_text(&self) -> Option<String> {
        let body = self.find("body").await?;
        let path = format!("/session/{}/element/{body}/text", self.session);
        let text = self.try_ask("GET", &path, None).await.ok()?;
        text.as_str().map(str::to_owned)
    }

    async fn get(&self, what: &str) -> Value {
        self.ask("GET", &format!("/session/{}/{what}", self.session), None)
            .await
    }

    async fn command(&self, what: &str, arguments: Value) -> Value {
        self.try_command(what, arguments)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    async fn try_command(&self, what: &str, arguments: Value) -> Result<Value, Value> {
        self.try_ask(
            "POST",
            &format!("/session/{}/{what}", self.session),
            Some(arguments),
        )
        .await
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.try_ask(method, path, body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn try_ask(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, Value> {
        let reply = self.exchange(method, path, body).await;
        let mut answer: Value = serde_json::from_slice(&reply.body).unwrap();
        let value = answer["value"].take();
        if reply.status == 200 {
            Ok(value)
        } else {
            Err(value)
        }
    }

    async fn exchange(&self, method: &str, path: &str, body: Option<Value>) -> Reply {
        let mut wire = Dial::plain(self.address).connect("localhost").await;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        wire.send(format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        ))
        .await;
        wire.reply().await.expect("chromedriver answers")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser with its driver; asking for it politely would need a runtime.
        let request = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.session, self.address
        );
        if let Ok(mut stream) = std::net::TcpStream::connect(self.address) {
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn chromedriver() -> Option<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|directory| directory.join("chromedriver"));
    let found = found.into_iter().find(|program| program.is_file());
    assert!(
        found.is_some() || environment("CI").is_none(),
        "CI has a browser to test with"
    );
    found
}

fn environment(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    std::env::var(name).ok()
}
