//! Whatever is open, and idle at that moment, ends with its session: WebSocket, server-sent events, a slow download, a
//! slow upload, over HTTP/1.1 and as streams of HTTP/2, for each cause.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use vestibule::model::ids::SessionNonce;
use vestibule::session::keys;
use vestibule::session::table::Cause;
use vestibule::store::Ending;

use crate::support::frames::{Frames, Outcome};
use crate::support::person::Person;
use crate::support::somebody;
use crate::support::tenant::{ALICE, STAFF};
use crate::support::wire::Wire;
use crate::support::world::{Builder, World};

/// The promise is one second; the machine that tests may be busy.
const PROMISE: Duration = Duration::from_secs(3);

const UPGRADE: &[(&str, &str)] = &[
    ("Connection", "upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Everything that Alice has open, idle.
struct Open {
    world: World,
    alice: Person,
    wires: Vec<(&'static str, Wire)>,
    frames: Frames,
    streams: Vec<(&'static str, u32)>,
}

impl Open {
    async fn everything() -> Self {
        Self::everything_in(World::builder()).await
    }

    async fn everything_in(world: Builder) -> Self {
        let world = world.tls().start().await;
        let alice = world.signed_in(ALICE, &["wiki"]).await;
        let wiki = world.host("wiki");

        let mut socket = alice.begin("GET", &wiki, "/ws", UPGRADE).await;
        assert_eq!(socket.head().await.unwrap().status, 101);
        socket.send(b"hello").await;
        assert_eq!(socket.take(5).await, b"hello");

        let mut events = alice.begin("GET", &wiki, "/events", &[]).await;
        assert_eq!(events.head().await.unwrap().status, 200);
        assert!(!events.some().await.is_empty());

        let mut download = alice.begin("GET", &wiki, "/download", &[]).await;
        assert_eq!(download.head().await.unwrap().status, 200);
        assert!(!download.some().await.is_empty());

        let mut upload = alice
            .begin("POST", &wiki, "/upload", &[("Content-Length", "1000000")])
            .await;
        upload.send(b"the first bytes").await;

        let mut frames = Frames::connect(&world.dial(), &wiki).await;
        let cookie = alice.cookie_header(&alice.address(&wiki, "/events"));
        let authority = world.authority("wiki");
        let fields = |method: &'static str, path: &'static str| {
            vec![
                (b":method".as_slice(), method.as_bytes()),
                (b":scheme".as_slice(), b"https".as_slice()),
                (b":authority".as_slice(), authority.as_bytes()),
                (b":path".as_slice(), path.as_bytes()),
                (b"cookie".as_slice(), cookie.as_bytes()),
            ]
        };
        let mut streams = Vec::new();
        for path in ["/events", "/download"] {
            let stream = frames.open(&fields("GET", path), true).await;
            assert_eq!(frames.outcome(stream).await, Outcome::Status(200));
            streams.push((path, stream));
        }
        let stream = frames.open(&fields("POST", "/upload"), false).await;
        frames.data(stream, b"the first bytes").await;
        streams.push(("/upload", stream));

        let began = Instant::now();
        while world.origin.streaming() < 7 || world.origin.uploaded() < 2 * "the first bytes".len() {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{} streams are open",
                world.origin.streaming()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let wires = vec![
            ("WebSocket", socket),
            ("events", events),
            ("download", download),
            ("upload", upload),
        ];
        Self {
            world,
            alice,
            wires,
            frames,
            streams,
        }
    }

    fn session(&self) -> SessionNonce {
        let known = self.world.running().sessions.nonces();
        assert_eq!(known.len(), 1);
        known.into_iter().next().unwrap()
    }

    /// Everything is cut within the promised time, at the client and at the upstream, and the cookie is worth nothing.
    async fn cut_by(mut self, cause: &str) {
        self.all_cut_by(cause).await;
        let hits = self.world.origin.hits();
        let reply = self.alice.fetch(&self.world.host("wiki"), "/x", &[]).await;
        assert_ne!(reply.status, 200, "{cause}: {}", reply.text());
        assert_eq!(self.world.origin.hits(), hits);
    }

    /// The same, of what is open alone.
    async fn all_cut_by(&mut self, cause: &str) {
        let began = Instant::now();
        for (name, wire) in &mut self.wires {
            wire.end().await;
            let took = began.elapsed();
            println!("{cause}: {name} cut after {took:?}");
            assert!(took < PROMISE, "{cause}: {name} was open for {took:?}");
        }
        for &(path, stream) in &self.streams {
            let outcome = self.frames.end(stream).await;
            let took = began.elapsed();
            println!("{cause}: {path} over HTTP/2 {outcome:?} after {took:?}");
            assert!(
                matches!(outcome, Outcome::Reset(_) | Outcome::Gone(_)),
                "{cause}: {path} {outcome:?}"
            );
            assert!(
                took < PROMISE,
                "{cause}: {path} over HTTP/2 was open for {took:?}"
            );
        }
        while self.world.origin.streaming() > 0 {
            assert!(began.elapsed() < PROMISE, "{cause}: open upstream");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn every_open_stream_is_cut_by_a_logout() {
    let mut open = Open::everything().await;
    let wiki = open.world.host("wiki");
    let mut leaving = open.alice.clone();
    assert_eq!(
        leaving.fetch(&wiki, "/cdn-cgi/access/logout", &[]).await.status,
        200
    );
    assert_eq!(leaving.cookie(&wiki, "CF_Authorization"), None);
    open.alice.upn = None;
    open.cut_by("logout").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_its_expiry() {
    let open = Open::everything_in(World::builder().organization("session_duration = \"1h\"")).await;
    open.world.pass(SignedDuration::from_mins(61));
    open.cut_by("expiry of the session").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_the_expiry_of_its_token() {
    let mut open = Open::everything_in(World::builder().wiki("session_duration = \"30m\"")).await;
    open.world.pass(SignedDuration::from_mins(31));
    open.all_cut_by("expiry of the token").await;
    // Whoever opens them again is given another token: the session lives.
    let reply = open.alice.fetch(&open.world.host("wiki"), "/x", &[]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn every_open_stream_is_cut_by_an_administrator() {
    let open = Open::everything().await;
    let ending = Ending::Session(open.session());
    open.world
        .running()
        .revoker
        .revoke(ending, Cause::Administrator)
        .await
        .unwrap();
    open.cut_by("administrator").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_another_process_that_ends_the_person() {
    let open = Open::everything().await;
    let user = open
        .world
        .running()
        .sessions
        .find(&open.session())
        .unwrap()
        .user();
    let store = open.world.store().await;
    store
        .end_sessions(&Ending::User(user), Cause::Administrator.word())
        .await
        .unwrap();
    open.cut_by("administrator, from another process").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_the_command_that_ends_a_persons_sessions() {
    let open = Open::everything().await;
    let world = &open.world;
    let said = world.type_in(&["sessions", "list", ALICE]).await.fine();
    let nonce = open.session().to_string();
    assert!(said.contains(&nonce) && said.contains("1 live"), "{said}");
    let nobody = world
        .type_in(&["sessions", "end", "nobody@contoso.example"])
        .await;
    assert_eq!(nobody.code, Some(64));
    let said = world.type_in(&["sessions", "end", ALICE]).await.fine();
    assert!(said.contains("1 ended"), "{said}");
    open.cut_by("the command").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_a_compromised_key() {
    let open = Open::everything().await;
    let running = open.world.running();
    let current = running.published.load().keys.current().unwrap().kid.clone();
    assert!(
        keys::revoke(
            &running.store,
            &running.sealer,
            &running.clock,
            &current,
            &somebody()
        )
        .await
        .unwrap()
    );
    open.cut_by("key compromise").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_a_policy_that_now_denies() {
    let mut open = Open::everything().await;
    let deny = format!(
        "[[policies]]\nname = \"nobody of staff\"\ndecision = \"deny\"\ninclude = [{{ azureAD = {{ id = \"{STAFF}\" }} }}]"
    );
    open.world
        .declare(|world| {
            world
                .wiki_policies("[\"nobody of staff\", \"staff\"]")
                .more(&deny)
        })
        .await;
    open.cut_by("policy").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_that_began_before_the_binding_cookie_was_asked_for() {
    let mut open = Open::everything().await;
    open.world
        .declare(|world| world.wiki("enable_binding_cookie = true"))
        .await;
    open.cut_by("binding cookie").await;
}

#[tokio::test]
async fn every_open_stream_is_cut_by_the_deletion_of_the_application() {
    let mut open = Open::everything().await;
    open.world.declare(Builder::without_wiki).await;
    open.cut_by("deletion").await;
}

#[tokio::test]
async fn a_provider_that_is_deleted_ends_its_sessions() {
    let mut open = Open::everything().await;
    open.world.declare(|world| world.provider_named("Another")).await;
    open.cut_by("provider").await;
}
