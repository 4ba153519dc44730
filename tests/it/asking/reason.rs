//! Purpose justification.

use vestibule::store::AccessRequestFilter;

use super::{FROM_OUR_PAGE, Form};
use crate::support::tenant::{ADAM, ALICE};
use crate::support::world::{Builder, World};

const ASKING: &str = r#"[{ name = "with reason", decision = "allow", purpose_justification_required = true, purpose_justification_prompt = "Ticket & why?", include = [{ everyone = {} }] }]"#;

fn asking() -> Builder {
    World::builder().wiki_policies(ASKING)
}

#[tokio::test]
async fn a_reason_opens_the_application_once_for_the_session_and_is_written_down() {
    let world = asking().start().await;
    let mut alice = world.person(ALICE);
    let page = alice.open(&world.host("wiki"), "/deep?x=1").await;
    assert_eq!(page.status(), 403);
    assert!(
        page.text().contains("Ticket &amp; why?") || page.text().contains("Ticket &#38; why?"),
        "{}",
        page.text()
    );
    assert_eq!(world.origin.hits(), 0);
    // Opening it again asks again, and asks Microsoft nothing.
    let page = alice.open(&world.host("wiki"), "/deep?x=1").await;
    assert!(!page.asked_entra());

    let form = Form::of(&page.text());
    let arrival = form
        .send(&mut alice, &page.url, &[("reason", "TICKET-7: on call")])
        .await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(world.origin.last().target(), "/deep?x=1");
    assert_eq!(alice.fetch(&world.host("wiki"), "/again", &[]).await.status, 200);

    let rows = world
        .running()
        .store
        .access_requests(&AccessRequestFilter::default())
        .await
        .unwrap();
    let said = rows.iter().find(|row| row.action == "justification").unwrap();
    assert_eq!(said.reason.as_deref(), Some("TICKET-7: on call"));
    assert_eq!(said.email.as_deref(), Some(ALICE));
    // Another session is asked again.
    let mut elsewhere = world.person(ALICE);
    assert_eq!(elsewhere.open(&world.host("wiki"), "/").await.status(), 403);
}

#[tokio::test]
async fn what_is_no_reason_opens_nothing() {
    let world = asking().start().await;
    let mut alice = world.person(ALICE);
    let page = alice.open(&world.host("wiki"), "/").await;
    let form = Form::of(&page.text());
    let long = "x".repeat(1001);
    for reason in ["", "   ", "\u{7}", long.as_str()] {
        let arrival = form.send(&mut alice, &page.url, &[("reason", reason)]).await;
        assert_eq!(arrival.status(), 400, "{reason:?}");
    }
    let arrival = form.send(&mut alice, &page.url, &[]).await;
    assert_eq!(arrival.status(), 400, "without the field");
    let empty = Form {
        action: form.action.clone(),
        fields: std::collections::BTreeMap::new(),
    };
    let arrival = empty.send(&mut alice, &page.url, &[("reason", "good")]).await;
    assert_eq!(arrival.status(), 400, "without what was sealed");
    for body in ["null", "[]", "{\"reason\":\"good\"}", "form[]=x&reason=good"] {
        let url = page.url.join(&form.action).unwrap();
        let reply = alice.request("POST", &url, FROM_OUR_PAGE, body.as_bytes()).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 302);
    assert_eq!(world.origin.hits(), 0);
}

#[tokio::test]
async fn nobody_elses_page_and_nobody_elses_browser_can_give_the_reason() {
    let world = asking().start().await;
    let (mut alice, mut adam) = (world.person(ALICE), world.person(ADAM));
    let page = alice.open(&world.host("wiki"), "/").await;
    adam.open(&world.host("wiki"), "/").await;
    let form = Form::of(&page.text());
    let good = &[("reason", "good")];
    for headers in [
        [
            ("Origin", "https://evil.example"),
            ("Sec-Fetch-Site", "cross-site"),
        ],
        [("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", "null"), ("Sec-Fetch-Site", "same-site")],
    ] {
        let reply = form.send_as(&mut alice, &page.url, good, &headers).await;
        assert_eq!(reply.status, 403, "{headers:?}");
    }
    assert_eq!(
        form.send_as(&mut adam, &page.url, good, FROM_OUR_PAGE)
            .await
            .status,
        400
    );
    let mut nobody = world.anonymous();
    assert_eq!(
        form.send_as(&mut nobody, &page.url, good, FROM_OUR_PAGE)
            .await
            .status,
        400
    );
    let url = page.url.join(&form.action).unwrap();
    assert_eq!(alice.get(&url).await.status, 405);
    assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 302);
    assert_eq!(adam.fetch(&world.host("wiki"), "/", &[]).await.status, 302);
}

#[tokio::test]
async fn a_policy_that_begins_to_ask_asks_those_who_are_inside() {
    let mut world = World::start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    world.declare(|plan| plan.wiki_policies(ASKING)).await;
    // The next request is decided by the new policy; a script is told so, a navigation led to the question.
    for _ in 0..50 {
        if alice.fetch(&world.host("wiki"), "/", &[]).await.status == 302 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let xhr = alice
        .fetch(
            &world.host("wiki"),
            "/",
            &[("X-Requested-With", "XMLHttpRequest")],
        )
        .await;
    assert_eq!(xhr.status, 401);
    let page = alice.open(&world.host("wiki"), "/").await;
    assert_eq!(page.status(), 403);
    let arrival = Form::of(&page.text())
        .send(&mut alice, &page.url, &[("reason", "still me")])
        .await;
    assert_eq!(arrival.status(), 200);
}
