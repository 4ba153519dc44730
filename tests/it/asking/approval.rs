//! Temporary access with approval.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use mock_entra::{Fault, IdTokenFault, User};
use serde_json::json;

use super::{FROM_OUR_PAGE, Form};
use crate::support::database::{on_both, on_postgres};
use crate::support::log;
use crate::support::person::{Arrival, Person};
use crate::support::tenant::{ADAM, ALICE, CLIENT, MALLORY, SECRET, TENANT};
use crate::support::world::{Builder, World};

/// Everybody who agrees stands in `approvers`; two groups of them are needed where there are two.
fn asking(approvers: &str) -> Builder {
    World::builder().wiki_policies(&format!(
        "[{{ name = \"with leave\", decision = \"allow\", approval_required = true, approval_groups = {approvers}, \
         include = [{{ everyone = {{}} }}] }}]"
    ))
}

/// What the page of who waits says once a mail is on its way.
const BY_MAIL: &str = "told by mail";

const ADAM_DECIDES: &str = r#"[{ approvals_needed = 1, email_addresses = ["adam@contoso.example"] }]"#;

const UPGRADE: &[(&str, &str)] = &[
    ("Connection", "upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

async fn asks(world: &World, person: &mut Person, minutes: &str) -> Arrival {
    let page = person.open(&world.host("wiki"), "/deep").await;
    assert_eq!(page.status(), 403, "{}", page.text());
    let fields = [("reason", "the <b>printer</b> is on fire"), ("minutes", minutes)];
    Form::of(&page.text()).send(person, &page.url, &fields).await
}

async fn approvals(world: &World, person: &mut Person) -> Arrival {
    person
        .open(&world.host("login"), "/cdn-cgi/access/approvals")
        .await
}

/// An approver who is signed in: approvers need not be able to open the application.
async fn approver(world: &World, upn: &str) -> Person {
    let mut person = world.person(upn);
    person.open(&world.host("wiki"), "/").await;
    person
}

async fn says(world: &World, person: &mut Person, say: &str, minutes: &str) -> Arrival {
    let page = approvals(world, person).await;
    let fields = [("say", say), ("minutes", minutes), ("word", "fine")];
    Form::of(&page.text()).send(person, &page.url, &fields).await
}

async fn soon(mut person: Person, world: &World, status: u16) -> bool {
    for _ in 0..100 {
        if person.fetch(&world.host("wiki"), "/", &[]).await.status == status {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

on_both! {
    async fn leave_opens_the_application_for_the_time_given_and_no_longer(database) {
        let world = asking(ADAM_DECIDES).on(&database).start().await;
        let mut adam = approver(&world, ADAM).await;
        let mut alice = world.person(ALICE);
        let waiting = asks(&world, &mut alice, "120").await;
        assert_eq!(waiting.status(), 403);
        assert!(waiting.text().contains("You have asked to open"), "{}", waiting.text());
        assert!(waiting.text().contains("http-equiv=\"refresh\""));
        assert!(!waiting.text().contains("adam@"), "approvers are named to nobody");
        assert_eq!(world.origin.hits(), 0);

        let page = approvals(&world, &mut adam).await;
        assert!(page.text().contains(ALICE), "{}", page.text());
        assert!(page.text().contains("&lt;b&gt;printer") || page.text().contains("&#60;b&#62;printer"), "{}", page.text());
        let done = says(&world, &mut adam, "approve", "60").await;
        assert!(done.text().contains("They may enter now"), "{}", done.text());

        let arrival = alice.open(&world.host("wiki"), "/deep").await;
        assert_eq!(arrival.status(), 200, "{}", arrival.text());
        // A later session of the same person has it too.
        let mut elsewhere = world.person(ALICE);
        assert_eq!(elsewhere.open(&world.host("wiki"), "/").await.status(), 200);

        world.pass(SignedDuration::from_mins(59));
        assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 200);
        world.pass(SignedDuration::from_mins(2));
        assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 302);
        let again = alice.open(&world.host("wiki"), "/").await;
        assert!(again.text().contains("is over"), "{}", again.text());
    }

    async fn every_group_of_approvers_must_agree_and_one_no_is_a_no(database) {
        let both = r#"[{ approvals_needed = 1, email_addresses = ["adam@contoso.example"] },
            { approvals_needed = 1, email_addresses = ["mallory@contoso.example"] }]"#;
        let world = asking(&both.replace('\n', " ")).on(&database).start().await;
        let (mut adam, mut mallory) = (approver(&world, ADAM).await, approver(&world, MALLORY).await);
        let mut alice = world.person(ALICE);
        asks(&world, &mut alice, "60").await;
        let one = says(&world, &mut adam, "approve", "60").await;
        assert!(one.text().contains("Others have to agree"), "{}", one.text());
        assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
        // The shorter of two lengths counts.
        says(&world, &mut mallory, "approve", "15").await;
        assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
        world.pass(SignedDuration::from_mins(16));
        assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 302);

        asks(&world, &mut alice, "60").await;
        says(&world, &mut adam, "approve", "60").await;
        says(&world, &mut mallory, "refuse", "60").await;
        let refused = alice.open(&world.host("wiki"), "/").await;
        assert!(refused.text().contains("was declined"), "{}", refused.text());
    }
}

#[tokio::test]
async fn nobody_decides_about_themself_or_what_is_not_theirs() {
    let world = asking(
        r#"[{ approvals_needed = 1, email_addresses = ["adam@contoso.example", "alice@contoso.example"] }]"#,
    )
    .start()
    .await;
    let mut alice = world.person(ALICE);
    asks(&world, &mut alice, "60").await;
    let own = approvals(&world, &mut alice).await;
    assert!(own.text().contains("Nobody is waiting for you"), "{}", own.text());

    // A form made for an approver is worth nothing in another browser, or from another site.
    let mut adam = approver(&world, ADAM).await;
    let mut mallory = approver(&world, MALLORY).await;
    let page = approvals(&world, &mut adam).await;
    let form = Form::of(&page.text());
    let yes = &[("say", "approve"), ("minutes", "60")];
    for person in [&mut alice, &mut mallory] {
        assert_eq!(
            form.send_as(person, &page.url, yes, FROM_OUR_PAGE).await.status,
            400
        );
    }
    let foreign = &[
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ];
    assert_eq!(form.send_as(&mut adam, &page.url, yes, foreign).await.status, 403);
    for fields in [
        &[][..],
        &[("say", "approve")],
        &[("say", "perhaps")],
        &[("say", "approve"), ("minutes", "-1")],
    ] {
        let reply = form.send_as(&mut adam, &page.url, fields, FROM_OUR_PAGE).await;
        assert_eq!(reply.status, 400, "{fields:?}");
    }
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
    // Never for longer than was asked.
    let done = form
        .send(
            &mut adam,
            &page.url,
            &[("say", "approve"), ("minutes", "99999999")],
        )
        .await;
    assert_eq!(done.status(), 200);
    world.pass(SignedDuration::from_mins(61));
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
}

/// The reason is not what is wrong with such a form.
#[tokio::test]
async fn a_length_that_the_page_does_not_offer_is_no_missing_reason() {
    let world = asking(ADAM_DECIDES).start().await;
    let mut alice = world.person(ALICE);
    let page = alice.open(&world.host("wiki"), "/deep").await;
    let form = Form::of(&page.text());
    for minutes in [Some("0"), Some("-1"), Some("1441"), Some("an hour"), None] {
        let mut fields = vec![("reason", "on call")];
        fields.extend(minutes.map(|minutes| ("minutes", minutes)));
        let arrival = form.send(&mut alice, &page.url, &fields).await;
        assert_eq!(arrival.status(), 400, "{minutes:?}");
        let text = arrival.text();
        assert!(!text.contains("Please write a reason"), "{minutes:?}: {text}");
        assert!(text.contains("not as the page made it"), "{minutes:?}: {text}");
    }
    let arrival = form
        .send(&mut alice, &page.url, &[("reason", " "), ("minutes", "60")])
        .await;
    assert!(
        arrival.text().contains("Please write a reason"),
        "{}",
        arrival.text()
    );
}

/// Two accounts, one address: whoever asked decides by neither of them.
#[tokio::test]
async fn nobody_decides_by_another_account_with_the_same_address() {
    let world = asking(r#"[{ approvals_needed = 1, email_addresses = ["alice@contoso.example"] }]"#)
        .start()
        .await;
    let mut alice = world.person(ALICE);
    asks(&world, &mut alice, "60").await;
    world.entra.delete_user("0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c");
    let another = User::member(ALICE).oid("77777777-2cc3-4dd4-8ee5-5ff66a77b88c");
    world.entra.tenant(TENANT).add_user(another);
    let mut another = approver(&world, ALICE).await;
    let page = approvals(&world, &mut another).await;
    assert!(
        page.text().contains("Nobody is waiting for you"),
        "{}",
        page.text()
    );
    // Somebody else's request she may decide.
    asks(&world, &mut world.person(MALLORY), "60").await;
    let page = approvals(&world, &mut another).await;
    assert!(page.text().contains(MALLORY), "{}", page.text());
}

/// One account of the directory by way of two providers, which call it by two addresses.
#[tokio::test]
async fn nobody_decides_by_way_of_another_provider() {
    const EVE: &str = "eve@contoso.example";
    let second = format!(
        r#"
[[applications]]
name = "By the second"
domain = "other.localhost/second"
allowed_idps = ["Second"]
policies = [{{ name = "all", decision = "allow", include = [{{ everyone = {{}} }}] }}]
[[identity_providers]]
name = "Second"
type = "azureAD"
[identity_providers.config]
client_id = "{CLIENT}"
directory_id = "{TENANT}"
client_secret = "{SECRET}"
azure_cloud = "mock"
email_claim_name = "upn"
"#
    );
    let world = asking(r#"[{ approvals_needed = 1, email_addresses = ["eve@contoso.example"] }]"#)
        .wiki("allowed_idps = [\"Entra ID\"]")
        .more(&second)
        .start()
        .await;
    let eve = User::member(EVE).mail("evelyn@contoso.example");
    world.entra.tenant(TENANT).add_user(eve);
    let mut by_the_first = world.person(EVE);
    asks(&world, &mut by_the_first, "60").await;
    let mut by_the_second = world.person(EVE);
    let arrival = by_the_second.open(&world.host("other"), "/second").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    let page = approvals(&world, &mut by_the_second).await;
    assert!(
        page.text().contains("Nobody is waiting for you"),
        "{}",
        page.text()
    );
    // She is an approver: for others.
    asks(&world, &mut world.person(MALLORY), "60").await;
    let page = approvals(&world, &mut by_the_second).await;
    assert!(page.text().contains(MALLORY), "{}", page.text());
}

#[tokio::test]
async fn leave_that_is_taken_back_cuts_what_it_opened() {
    let world = asking(ADAM_DECIDES).start().await;
    let mut adam = approver(&world, ADAM).await;
    let mut alice = world.person(ALICE);
    asks(&world, &mut alice, "1440").await;
    says(&world, &mut adam, "approve", "1440").await;
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
    let mut socket = alice.begin("GET", &world.host("wiki"), "/ws", UPGRADE).await;
    assert_eq!(socket.head().await.unwrap().status, 101);
    let page = approvals(&world, &mut adam).await;
    let form = Form::after(&page.text(), "Given and still good");
    let done = form.send(&mut adam, &page.url, &[("say", "withdraw")]).await;
    assert!(done.text().contains("they are out"), "{}", done.text());
    assert!(socket.end().await < Duration::from_secs(3));
    assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 302);
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 403);
}

#[tokio::test]
async fn who_follows_the_mail_signs_in_and_is_there() {
    let world = World::start().await;
    let mut adam = world.person(ADAM);
    let arrival = approvals(&world, &mut adam).await;
    assert!(arrival.asked_entra());
    assert_eq!(arrival.url.path(), "/cdn-cgi/access/approvals");
    assert_eq!(arrival.status(), 200);
}

#[tokio::test]
async fn approvers_are_told_by_mail_and_so_is_who_asked() {
    const GUEST: &str = "ceo@partner.example";
    let sink = crate::support::mail::Sink::start().await;
    let smtp = format!(
        "[smtp]\nurl = \"smtp://{}\"\nstarttls = false\nfrom = \"Access <access@example.com>\"\n",
        sink.address
    );
    let world = asking(ADAM_DECIDES).more(&smtp).start().await;
    let mut alice = world.person(ALICE);
    asks(&world, &mut alice, "60").await;
    let mail = sink.next().await;
    assert_eq!(mail.to, "adam@contoso.example");
    assert!(mail.text.contains("/cdn-cgi/access/approvals"), "{}", mail.text);
    // The page says so once the relay has taken it.
    let mut told = false;
    for _ in 0..100 {
        told = alice
            .open(&world.host("wiki"), "/")
            .await
            .text()
            .contains(BY_MAIL);
        if told {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(told);
    let mut adam = approver(&world, ADAM).await;
    says(&world, &mut adam, "approve", "60").await;
    assert_eq!(sink.next().await.to, ALICE);

    // A guest's address that nobody vouches for is neither shown as who asks nor written to.
    let guest = User::guest(GUEST).name("Carol Guest");
    world.entra.tenant(TENANT).add_user(guest);
    let unsaid = IdTokenFault::extra(json!({ "xms_edov": "perhaps" }));
    world.entra.fail_always(Fault::IdToken(unsaid));
    asks(&world, &mut world.person(GUEST), "60").await;
    world.entra.clear_faults();
    let mail = sink.next().await;
    let named = "Carol Guest (guest, address not verified)";
    assert!(
        mail.text.contains(named) && !mail.text.contains(GUEST),
        "{}",
        mail.text
    );
    let page = approvals(&world, &mut adam).await.text();
    assert!(page.contains(named) && !page.contains(GUEST), "{page}");
    says(&world, &mut adam, "approve", "60").await;
    asks(&world, &mut world.person(MALLORY), "60").await;
    assert_eq!(sink.next().await.to, ADAM, "nothing was sent to the guest");
}

/// Whoever asks may not decide, and so is not asked to.
#[tokio::test]
async fn whoever_asks_is_not_mailed_to_decide_about_themself() {
    let sink = crate::support::mail::Sink::start().await;
    let smtp = format!(
        "[smtp]\nurl = \"smtp://{}\"\nstarttls = false\nfrom = \"Access <access@example.com>\"\n",
        sink.address
    );
    let both = r#"[{ approvals_needed = 1, email_addresses = ["adam@contoso.example", "Alice@contoso.example", "zoe@contoso.example"] }]"#;
    let world = asking(both).more(&smtp).start().await;
    asks(&world, &mut world.person(ALICE), "60").await;
    let (one, other) = (sink.next().await, sink.next().await);
    assert!(one.text.contains("agree or decline") && other.text.contains("agree or decline"));
    assert_eq!(
        BTreeSet::from([one.to.as_str(), other.to.as_str()]),
        BTreeSet::from([ADAM, "zoe@contoso.example"])
    );
    // What others ask, she is told.
    asks(&world, &mut world.person(MALLORY), "60").await;
    let told = [sink.next().await.to, sink.next().await.to, sink.next().await.to];
    assert!(told.iter().any(|to| to == ALICE), "{told:?}");
}

/// The launcher counts what the page then shows.
#[tokio::test]
async fn whoever_has_voted_is_not_waited_for() {
    let two = r#"[{ approvals_needed = 2, email_addresses = ["adam@contoso.example", "mallory@contoso.example"] }]"#;
    let world = asking(two).start().await;
    let mut adam = approver(&world, ADAM).await;
    asks(&world, &mut world.person(ALICE), "60").await;
    let launcher = adam.open(&world.host("login"), "/").await.text();
    assert!(launcher.contains("Requests waiting for you (1)"), "{launcher}");
    let one = says(&world, &mut adam, "approve", "60").await;
    assert!(one.text().contains("Others have to agree"), "{}", one.text());
    let launcher = adam.open(&world.host("login"), "/").await.text();
    assert!(!launcher.contains("Requests waiting for you"), "{launcher}");
    let mut mallory = approver(&world, MALLORY).await;
    let launcher = mallory.open(&world.host("login"), "/").await.text();
    assert!(launcher.contains("Requests waiting for you (1)"), "{launcher}");
}

#[tokio::test]
async fn nobody_is_said_to_be_told_by_a_relay_that_takes_no_mail() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let smtp = format!(
        "[smtp]\nurl = \"smtp://{address}\"\nstarttls = false\nfrom = \"Access <access@example.com>\"\n"
    );
    let world = asking(ADAM_DECIDES).more(&smtp).start().await;
    let mut alice = world.person(ALICE);
    let waiting = asks(&world, &mut alice, "60").await;
    assert!(!waiting.text().contains(BY_MAIL), "{}", waiting.text());
    assert!(waiting.text().contains("in their launcher"), "{}", waiting.text());
    let told = format!("The relay {address} of [smtp] did not take a mail");
    for _ in 0..100 {
        if log::contains(&told) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(log::contains(&told), "the log does not say it");
    let later = alice.open(&world.host("wiki"), "/").await;
    assert!(!later.text().contains(BY_MAIL), "{}", later.text());
}

on_postgres! {
    async fn leave_given_at_one_gateway_opens_the_other(database) {
        let world = asking(ADAM_DECIDES).gateways(2).on(&database).start().await;
        let mut adam = approver(&world, ADAM).await;
        let mut alice = world.person_at(1, ALICE);
        asks(&world, &mut alice, "60").await;
        // She has a token of the application from before; the policy has just let her in.
        says(&world, &mut adam, "approve", "60").await;
        for _ in 0..100 {
            if alice.open(&world.host("wiki"), "/").await.status() == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(soon(alice, &world, 200).await);
    }
}
