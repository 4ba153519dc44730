//! Sends the bare requests of `cases.toml` and holds the answers to what they say.

use std::fmt::Write as _;

use super::cases::{Case, Expect, Request, read};
use crate::support::frames::{Frames, Outcome};
use crate::support::origin::{MARK, Seen};
use crate::support::tenant::ALICE;
use crate::support::wire::Reply;
use crate::support::world::World;

/// What may never reach the upstream, whoever sent it.
const FORGED: &str = "forged";

/// What a case is played with.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) cookie: String,
}

impl Stage {
    pub(crate) async fn set(world: World) -> Self {
        let alice = world.signed_in(ALICE, &["wiki"]).await;
        let cookie = alice.cookie_header(&alice.address(&world.host("wiki"), "/x"));
        assert!(cookie.contains("CF_Authorization="), "{cookie}");
        Self { world, cookie }
    }

    /// Puts what only this run knows into a text of the table.
    pub(crate) fn fill(&self, text: &str) -> String {
        let port = self.world.port().to_string();
        let hosts =
            ["wiki", "other", "login"].map(|name| (format!("{{{name}}}"), self.world.authority(name)));
        let text = text.replace("{port}", &port).replace("{cookie}", &self.cookie);
        let text = hosts
            .iter()
            .fold(text, |text, (name, host)| text.replace(name, host));
        if self.world.scheme() == "https" {
            text.replace("localhost", "test").replace("LocalHost", "Test")
        } else {
            text
        }
    }

    pub(crate) fn host(&self, request: &Request) -> String {
        self.fill(request.host.as_deref().unwrap_or("{wiki}"))
    }

    /// The bytes of a request over HTTP/1.1.
    pub(crate) fn bytes(&self, request: &Request) -> Vec<u8> {
        if let Some(raw) = &request.raw {
            return unescape(&self.fill(raw));
        }
        let send = request.send.as_deref().expect("send or raw");
        let mut text = format!(
            "{send} HTTP/1.1\\r\\nHost: {}\\r\\nAccept: text/html\\r\\n",
            self.host(request)
        );
        if request.cookie {
            write!(text, "Cookie: {}\\r\\n", self.cookie).unwrap();
        }
        for header in &request.headers {
            write!(text, "{}\\r\\n", self.fill(header)).unwrap();
        }
        text.push_str("\\r\\n");
        text.push_str(&request.body);
        unescape(&text)
    }

    /// The login page's address.
    fn login(&self) -> String {
        format!(
            "{}://{}/cdn-cgi/access/login/",
            self.world.scheme(),
            self.world.authority("login")
        )
    }

    fn check_upstream(&self, request: &Request, before: usize) -> Result<(), String> {
        let seen = self.world.origin.since(before);
        if !request.hits_any && seen.len() != request.hits {
            return Err(format!("{} requests reached the upstream: {seen:#?}", seen.len()));
        }
        seen.iter().try_for_each(|seen| check_seen(request, seen))
    }
}

fn check_seen(request: &Request, seen: &Seen) -> Result<(), String> {
    let whole = format!("{}{}", seen.head, seen.trailers.join("\n")).to_ascii_lowercase();
    if whole.contains(FORGED) {
        return Err(format!("the upstream got {whole}"));
    }
    if let Some(target) = request
        .target
        .as_deref()
        .filter(|target| *target != seen.target())
    {
        return Err(format!(
            "the upstream was asked for {} and not for {target}",
            seen.target()
        ));
    }
    if let Some(name) = request.absent.iter().find(|name| !seen.all(name).is_empty()) {
        return Err(format!("the upstream got {name}: {}", seen.head));
    }
    if let Some(name) = request.once.iter().find(|name| seen.all(name).len() != 1) {
        return Err(format!(
            "the upstream got {name} {} times: {}",
            seen.all(name).len(),
            seen.head
        ));
    }
    Ok(())
}

#[tokio::test]
async fn every_request_of_the_table_gets_what_it_deserves() {
    let stage = Stage::set(World::start().await).await;
    let mut faults = Vec::new();
    for case in read().case {
        for request in &case.request {
            if let Err(fault) = play(&stage, request).await {
                faults.push(describe(&case, request, &fault));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

async fn play(stage: &Stage, request: &Request) -> Result<(), String> {
    let before = stage.world.origin.hits();
    let mut wire = stage.world.dial().connect("").await;
    wire.send(stage.bytes(request)).await;
    let head = request
        .send
        .as_deref()
        .is_some_and(|send| send.starts_with("HEAD "));
    let reply = if head {
        wire.head().await
    } else {
        wire.reply().await
    };
    check_reply(stage, request, reply.as_ref())?;
    if request.closes && wire.reply().await.is_some() {
        return Err("the connection went on".to_owned());
    }
    stage.check_upstream(request, before)
}

fn check_reply(stage: &Stage, request: &Request, reply: Option<&Reply>) -> Result<(), String> {
    let status = reply.map_or(0, |reply| reply.status);
    match &request.expect {
        Expect::Statuses(right) if right.contains(&status) => {}
        Expect::Statuses(_) => return Err(format!("answered {status}: {reply:?}")),
        Expect::Word(word) => {
            assert_eq!(word, "login");
            let location = reply
                .and_then(|reply| reply.header("location"))
                .unwrap_or_default();
            if status != 302 || !location.starts_with(&stage.login()) {
                return Err(format!("answered {status} to {location:?}"));
            }
        }
    }
    let Some(reply) = reply else { return Ok(()) };
    let caching = reply.header("cache-control").unwrap_or_default();
    if matches!(status, 302 | 401 | 403) && !caching.contains("no-store") {
        return Err(format!("{status} may be cached: {caching:?}"));
    }
    if status != 200 && reply.text().contains(MARK) {
        return Err(format!("{status} with bytes of the upstream: {}", reply.text()));
    }
    Ok(())
}

fn describe(case: &Case, request: &Request, fault: &str) -> String {
    let what = request
        .send
        .as_deref()
        .or(request.raw.as_deref())
        .unwrap_or_default();
    format!(
        "{} {}: {what} {:?}: {fault}",
        case.number, case.title, request.headers
    )
}

/// The same over HTTP/2, as far as it can be said there: pseudo-headers in place of the request line.
#[tokio::test]
async fn every_request_that_http_2_can_express_gets_the_same() {
    let stage = Stage::set(World::builder().tls().start().await).await;
    let mut faults = Vec::new();
    for case in read().case {
        for request in case.request.iter().filter(|request| request.send.is_some()) {
            if let Err(fault) = play_http2(&stage, request).await {
                faults.push(describe(&case, request, &fault));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

async fn play_http2(stage: &Stage, request: &Request) -> Result<(), String> {
    let before = stage.world.origin.hits();
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let send = unescape(request.send.as_deref().expect("send"));
    let space = send.iter().position(|byte| *byte == b' ').expect("a method");
    let host = stage.host(request);
    let mut field = |name: &str, value: &[u8]| fields.push((name.as_bytes().to_vec(), value.to_vec()));
    field(":method", &send[..space]);
    field(":scheme", b"https");
    field(":authority", host.as_bytes());
    field(":path", &send[space + 1..]);
    field("accept", b"text/html");
    if request.cookie {
        field("cookie", stage.cookie.as_bytes());
    }
    for header in &request.headers {
        let header = stage.fill(header);
        let (name, value) = header.split_once(": ").expect("a header");
        field(&name.to_ascii_lowercase(), value.replace("\\t", "\t").as_bytes());
    }
    let fields: Vec<(&[u8], &[u8])> = fields
        .iter()
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
        .collect();
    let mut frames = Frames::connect(&stage.world.dial(), &stage.world.host("wiki")).await;
    let body = Some(request.body.as_bytes()).filter(|body| !body.is_empty());
    let outcome = frames.request_with(&fields, body).await;
    let right = match (&request.expect, outcome) {
        (Expect::Word(_), Outcome::Status(status)) => status == 302,
        (Expect::Statuses(right), Outcome::Status(status)) => right.contains(&status),
        // What HTTP/1.1 answers with 400 may be a malformed message here, whose stream is reset (RFC 9113 §8.1.1).
        (Expect::Statuses(right), Outcome::Reset(_) | Outcome::Gone(_)) => {
            right.contains(&400) || right.contains(&0)
        }
        (Expect::Word(_), _) | (_, Outcome::Complete) => false,
    };
    if send.contains(&b'#') {
        // The library cuts a fragment off before we see the target; decision and forwarded bytes both lack it.
        return match stage
            .world
            .origin
            .since(before)
            .iter()
            .find(|seen| seen.target().contains('#'))
        {
            Some(seen) => Err(format!("the upstream was asked for {}", seen.target())),
            None => Ok(()),
        };
    }
    if !right {
        return Err(format!("{outcome:?}"));
    }
    stage.check_upstream(request, before)
}

/// Turns the escapes of the table into bytes.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        rest = more;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let (byte, used) = match rest {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] => {
                let digits = [*high, *low];
                (
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(),
                    3,
                )
            }
            _ => panic!("no escape: {text}"),
        };
        bytes.push(byte);
        rest = &rest[used..];
    }
    bytes
}
