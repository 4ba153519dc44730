//! What only HTTP/2 can say: malformed pseudo-headers, line breaks in values, lengths that lie, floods.

use std::time::{Duration, Instant};

use crate::support::frames::{Frames, Outcome};
use crate::support::tenant::ALICE;
use crate::support::world::World;

type Fields<'f> = Vec<(&'f [u8], &'f [u8])>;

fn request<'f>(authority: &'f str, path: &'f [u8]) -> Fields<'f> {
    vec![
        (b":method", b"GET"),
        (b":scheme", b"https"),
        (b":authority", authority.as_bytes()),
        (b":path", path),
    ]
}

fn refused(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Status(400 | 404) | Outcome::Reset(_) | Outcome::Gone(_)
    )
}

#[tokio::test]
async fn malformed_http_2_reaches_no_upstream() {
    let world = World::builder().tls().start().await;
    let wiki = world.authority("wiki");
    let base = || request(&wiki, b"/public/x");
    let with = |name: &'static [u8], value: &'static [u8]| {
        let mut fields = base();
        fields.push((name, value));
        fields
    };
    let control = Frames::connect(&world.dial(), &world.host("wiki"))
        .await
        .request(&base())
        .await;
    assert_eq!(control, Outcome::Status(200));
    let hits = world.origin.hits();

    let malformed = [
        ("a line break in a value", with(b"x-a", b"1\r\nx-admin: 1")),
        ("a zero byte in a value", with(b"x-a", b"1\0")),
        ("a colon in a name", with(b"x:a", b"1")),
        ("an upper-case name", with(b"X-A", b"1")),
        ("a blank in a name", with(b"x a", b"1")),
        ("an empty name", with(b"", b"1")),
        ("transfer-encoding", with(b"transfer-encoding", b"chunked")),
        ("connection", with(b"connection", b"close")),
        ("keep-alive", with(b"keep-alive", b"1")),
        ("upgrade", with(b"upgrade", b"websocket")),
        ("te other than trailers", with(b"te", b"gzip")),
        ("a second path", with(b":path", b"/admin")),
        ("a second method", with(b":method", b"POST")),
        ("an unknown pseudo-header", with(b":forged", b"1")),
        ("a pseudo-header after a header", {
            let mut fields = base();
            fields.insert(2, (b"x-a", b"1"));
            fields
        }),
        ("a path with a blank", request(&wiki, b"/public/x y")),
        (
            "a whole address as path",
            request(&wiki, b"https://other.test/public/x"),
        ),
        ("an empty path", request(&wiki, b"")),
        ("a path without slash", request(&wiki, b"public/x")),
        (
            "no path",
            base().into_iter().filter(|(name, _)| *name != b":path").collect(),
        ),
        (
            "no method",
            base()
                .into_iter()
                .filter(|(name, _)| *name != b":method")
                .collect(),
        ),
        (
            "no authority",
            base()
                .into_iter()
                .filter(|(name, _)| *name != b":authority")
                .collect(),
        ),
    ];
    for (why, fields) in malformed {
        let mut frames = Frames::connect(&world.dial(), &world.host("wiki")).await;
        let outcome = frames.request(&fields).await;
        assert!(refused(outcome), "{why}: {outcome:?}");
    }
    assert_eq!(world.origin.hits(), hits);
}

#[tokio::test]
async fn a_host_beside_the_authority_of_http_2_must_agree() {
    let world = World::builder().tls().start().await;
    let (wiki, other) = (world.authority("wiki"), world.authority("other"));
    let mut frames = Frames::connect(&world.dial(), &world.host("wiki")).await;
    let mut fields = request(&wiki, b"/public/x");
    fields.push((b"host", wiki.as_bytes()));
    assert_eq!(frames.request(&fields).await, Outcome::Status(200));
    let hits = world.origin.hits();
    fields.pop();
    fields.push((b"host", other.as_bytes()));
    assert!(refused(frames.request(&fields).await));
    assert_eq!(world.origin.hits(), hits);
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_harms_nobody_else() {
    let world = World::builder().tls().start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let wiki = world.authority("wiki");
    let mut frames = Frames::connect(&world.dial(), &world.host("wiki")).await;
    let fields = request(&wiki, b"/x");
    for _ in 0..2_000 {
        let stream = frames.open(&fields, true).await;
        frames.reset(stream).await;
    }
    let began = Instant::now();
    assert_eq!(alice.fetch(&world.host("wiki"), "/x", &[]).await.status, 200);
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "others waited {:?}",
        began.elapsed()
    );
    let outcome = frames.request(&fields).await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
}
