//! The launcher as an application of its own: its policies ask people for more than a sign-in by the same door as any
//! other's, and its `session_duration` says how old that sign-in may be.

use jiff::SignedDuration;
use mock_entra::User;

use crate::asking::Form;
use crate::support::person::{Arrival, Person};
use crate::support::tenant::{ADAM, ALICE, CLIENT, MALLORY, TENANT};
use crate::support::world::{Builder, World};

const ALICE_OID: &str = "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c";

/// A launcher with one policy of these keys, and keys of its own.
fn launcher(policy: &str, own: &str) -> Builder {
    World::builder().more(&format!(
        "[[applications]]\ntype = \"app_launcher\"\n{own}\npolicies = [{{ name = \"the launcher's\", decision = \"allow\", {policy} }}]\n"
    ))
}

const EVERYONE: &str = "include = [{ everyone = {} }]";

async fn opens(world: &World, person: &mut Person) -> Arrival {
    person.open(&world.host("login"), "/").await
}

/// Whether this page is the launcher, at its own address.
fn is_open(world: &World, person: &Person, arrival: &Arrival) -> bool {
    let here = arrival.url == person.address(&world.host("login"), "/");
    arrival.status() == 200 && here && arrival.text().contains("Your applications")
}

#[tokio::test]
async fn a_reason_opens_the_launcher_once_for_the_session() {
    let policy = format!(
        "purpose_justification_required = true, purpose_justification_prompt = \"What for?\", {EVERYONE}"
    );
    let world = launcher(&policy, "").start().await;
    let mut alice = world.person(ALICE);
    let page = opens(&world, &mut alice).await;
    assert_eq!(page.status(), 403, "{}", page.text());
    assert!(page.text().contains("What for?"), "{}", page.text());
    // The applications do not ask for it.
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
    let arrival = Form::of(&page.text())
        .send(&mut alice, &page.url, &[("reason", "TICKET-7")])
        .await;
    assert!(
        is_open(&world, &alice, &arrival),
        "{:?} {}",
        arrival.way,
        arrival.text()
    );
    let again = opens(&world, &mut alice).await;
    assert!(
        is_open(&world, &alice, &again) && !again.asked_entra(),
        "{}",
        again.text()
    );
    // Another browser of hers is asked again, on the page of the API as well, and comes back to that.
    let mut elsewhere = world.person(ALICE);
    let page = elsewhere.open(&world.host("login"), "/cdn-cgi/access/api").await;
    assert_eq!(page.status(), 403, "{}", page.text());
    let arrival = Form::of(&page.text())
        .send(&mut elsewhere, &page.url, &[("reason", "TICKET-8")])
        .await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
    assert_eq!(
        arrival.url,
        elsewhere.address(&world.host("login"), "/cdn-cgi/access/api")
    );
}

#[tokio::test]
async fn leave_opens_the_launcher_for_the_time_given_and_no_longer() {
    let policy = format!(
        "approval_required = true, approval_groups = [{{ approvals_needed = 1, email_addresses = [\"{ADAM}\"] }}], {EVERYONE}"
    );
    let world = launcher(&policy, "").start().await;
    let mut alice = world.person(ALICE);
    let page = opens(&world, &mut alice).await;
    assert_eq!(page.status(), 403, "{}", page.text());
    let fields = [("reason", "to see what there is"), ("minutes", "60")];
    let waiting = Form::of(&page.text()).send(&mut alice, &page.url, &fields).await;
    assert!(
        waiting.text().contains("You have asked to open"),
        "{}",
        waiting.text()
    );

    // Who decides need not be let into the launcher.
    let mut adam = world.person(ADAM);
    let page = adam.open(&world.host("login"), "/cdn-cgi/access/approvals").await;
    assert!(
        page.text().contains(ALICE) && page.text().contains("App Launcher"),
        "{}",
        page.text()
    );
    let fields = [("say", "approve"), ("minutes", "60"), ("word", "fine")];
    Form::of(&page.text()).send(&mut adam, &page.url, &fields).await;
    let arrival = opens(&world, &mut alice).await;
    assert!(
        is_open(&world, &alice, &arrival),
        "{:?} {}",
        arrival.way,
        arrival.text()
    );
    world.pass(SignedDuration::from_mins(61));
    let over = opens(&world, &mut alice).await;
    assert!(
        over.status() == 403 && over.text().contains("is over"),
        "{}",
        over.text()
    );
}

#[tokio::test]
async fn a_stronger_sign_in_is_asked_for_once_and_told_in_words_where_it_fails() {
    let policy = format!("{EVERYONE}, require = [{{ auth_context = {{ ac_id = \"c1\" }} }}]");
    let world = launcher(&policy, "")
        .provider("conditional_access_enabled = true")
        .start()
        .await;
    world
        .entra
        .tenant(TENANT)
        .edit(|tenant| tenant.auth_context("c1", "Phishing-resistant sign-in", "", true))
        .edit_app(CLIENT, |app| app.app_permission("Policy.Read.ConditionalAccess"));
    let user = User::member(ALICE).oid(ALICE_OID).name("Alice Example");
    world.entra.tenant(TENANT).add_user(user.satisfies_context("c1"));
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let session = alice.cookie(&world.host("login"), "CF_Authorization");
    let arrival = opens(&world, &mut alice).await;
    assert!(
        arrival.asked_entra() && is_open(&world, &alice, &arrival),
        "{:?} {}",
        arrival.way,
        arrival.text()
    );
    assert_eq!(alice.cookie(&world.host("login"), "CF_Authorization"), session);
    assert!(!opens(&world, &mut alice).await.asked_entra());
    // Somebody who does not satisfy it is told so, and not sent round.
    let mallory = User::member(MALLORY).name("Mallory Example");
    world.entra.tenant(TENANT).add_user(mallory.ignores_context("c1"));
    let refused = opens(&world, &mut world.person(MALLORY)).await;
    assert_eq!(refused.status(), 403, "{:?}", refused.way);
    assert!(
        refused.text().contains("asks for a stronger sign-in"),
        "{}",
        refused.text()
    );
    assert!(
        refused.text().contains("Phishing-resistant sign-in"),
        "{}",
        refused.text()
    );
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_made_anew_under_the_same_session() {
    let world = launcher(EVERYONE, "session_duration = \"30m\"").start().await;
    let mut alice = world.person(ALICE);
    assert!(opens(&world, &mut alice).await.asked_entra());
    assert_eq!(alice.open(&world.host("wiki"), "/").await.status(), 200);
    let token = alice.cookie(&world.host("login"), "CF_Authorization");
    world.pass(SignedDuration::from_mins(29));
    assert!(!opens(&world, &mut alice).await.asked_entra());
    world.pass(SignedDuration::from_mins(2));
    let arrival = opens(&world, &mut alice).await;
    assert!(
        arrival.asked_entra() && is_open(&world, &alice, &arrival),
        "{:?} {}",
        arrival.way,
        arrival.text()
    );
    // The session went on, with what it has open.
    assert_eq!(alice.cookie(&world.host("login"), "CF_Authorization"), token);
    assert_eq!(alice.fetch(&world.host("wiki"), "/", &[]).await.status, 200);
    assert!(!opens(&world, &mut alice).await.asked_entra());
    // What the launcher asks for is asked for no application.
    world.pass(SignedDuration::from_mins(31));
    assert!(!alice.open(&world.host("wiki"), "/").await.asked_entra());
    // Somebody else who signs in instead gets a session of their own.
    let mut other = alice.clone();
    other.upn = Some(MALLORY.to_owned());
    let arrival = opens(&world, &mut other).await;
    assert!(
        is_open(&world, &other, &arrival) && arrival.text().contains(MALLORY),
        "{}",
        arrival.text()
    );
    assert_ne!(other.cookie(&world.host("login"), "CF_Authorization"), token);
}

#[tokio::test]
async fn a_policys_duration_goes_before_the_launchers_and_nothing_is_a_minute() {
    let policy = format!("session_duration = \"0s\", {EVERYONE}");
    let world = launcher(&policy, "session_duration = \"30m\"").start().await;
    let mut alice = world.person(ALICE);
    let arrival = opens(&world, &mut alice).await;
    assert!(is_open(&world, &alice, &arrival), "{:?}", arrival.way);
    world.pass(SignedDuration::from_secs(61));
    let arrival = opens(&world, &mut alice).await;
    assert!(
        arrival.asked_entra() && is_open(&world, &alice, &arrival),
        "{:?}",
        arrival.way
    );
}
