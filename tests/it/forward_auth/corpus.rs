//! The bare requests of the abuse table, asked about by every proxy: what the gateway itself does not let through is let
//! through by none of them.

use super::question::{ASKERS, Question};
use crate::abuse::cases::{Request, read};
use crate::abuse::table::{Stage, unescape};
use crate::support::world::{FORWARD_AUTH_SECRET, World};

/// Requests that pass here and there; fewer would mean that the questions are not understood at all.
const PASSING: usize = 20;

/// The request as a proxy sees it.
fn question(stage: &Stage, request: &Request) -> Option<Question> {
    let send = unescape(request.send.as_deref()?);
    let space = send.iter().position(|byte| *byte == b' ').expect("a method");
    // White space at the end of a field is none of its value (RFC 9110 §5.5); no proxy takes such a target.
    if send.last().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    let mut lines = vec![b"Accept: text/html".to_vec()];
    if request.cookie {
        lines.push(format!("Cookie: {}", stage.cookie).into_bytes());
    }
    lines.extend(request.headers.iter().map(|header| unescape(&stage.fill(header))));
    Some(Question {
        method: send[..space].to_vec(),
        host: stage.host(request),
        target: send[space + 1..].to_vec(),
        lines,
        address: "127.0.0.1".to_owned(),
    })
}

/// Whether the gateway lets it through to the application.
async fn passes_here(stage: &Stage, request: &Request) -> bool {
    let before = stage.world.origin.hits();
    let mut wire = stage.world.dial().connect("").await;
    wire.send(stage.bytes(request)).await;
    let _ = wire.head().await;
    stage.world.origin.hits() > before
}

#[tokio::test]
async fn what_the_gateway_stops_no_proxy_that_asks_lets_through() {
    let world = World::builder()
        .listen(&format!(
            "forward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
        ))
        .start()
        .await;
    let stage = Stage::set(world).await;
    let at = stage.world.forward_auth();
    let (mut faults, mut passing) = (Vec::new(), 0);
    for case in read().case {
        for request in &case.request {
            let Some(question) = question(&stage, request) else {
                continue;
            };
            let here = passes_here(&stage, request).await;
            for asker in ASKERS {
                let answer = question.answer(asker, at).await;
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let there = (200..300).contains(&status);
                passing += usize::from(there);
                // Without an answer, or with a fault of ours, there is a proxy somewhere that lets the request through.
                let sound = if there {
                    here
                } else {
                    status == 0 || (300..500).contains(&status)
                };
                let whole = |name: &str| {
                    answer
                        .as_ref()
                        .is_some_and(|answer| answer.all(name).count() == 1)
                };
                let told = [
                    "cf-access-jwt-assertion",
                    "cf-access-authenticated-user-email",
                    "cookie",
                ];
                if !sound || (there && !told.iter().all(|name| whole(name))) {
                    faults.push(format!(
                        "{} {}: {asker:?} is told {status} of {:?}, which the gateway {}",
                        case.number,
                        case.title,
                        request.send,
                        if here { "lets through" } else { "stops" }
                    ));
                }
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(passing > PASSING * ASKERS.len(), "only {passing} passed");
}
