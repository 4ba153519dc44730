//! Rules that change under a live session count for its next request.

use std::time::Duration;

use crate::support::tenant::{ALICE, CLIENT, SECRET, TENANT};
use crate::support::world::{Builder, World};

fn team(members: &str) -> impl Fn(Builder) -> Builder {
    let more = format!(
        "[[lists]]\nname = \"team\"\ntype = \"EMAIL\"\nitems = [{members}]\n\
         [[groups]]\nname = \"crew\"\ninclude = [{{ email_list = {{ id = \"team\" }} }}]\n"
    );
    move |builder| {
        builder
            .wiki_policies(
                "[{ name = \"crew\", decision = \"allow\", include = [{ group = { id = \"crew\" } }] }]",
            )
            .more(&more)
    }
}

#[tokio::test]
async fn somebody_taken_off_a_list_is_refused_on_the_next_request_and_back_on_it_let_in() {
    let everybody = "\"alice@contoso.example\", \"adam@contoso.example\"";
    let mut world = team(everybody)(World::builder()).start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    for (members, status) in [("\"adam@contoso.example\"", 403), (everybody, 200)] {
        world.declare(team(members)).await;
        let mut seen = 0;
        // A replica takes a change in within a second.
        for _ in 0..20 {
            seen = alice.fetch(&world.host("wiki"), "/x", &[]).await.status;
            if seen == status {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen, status, "{members}");
    }
}

/// Of whom a claim was not asked at the sign-in, it is not known whether they have it.
#[tokio::test]
async fn a_claim_that_is_copied_from_now_on_is_unknown_of_whoever_signed_in_before() {
    let everybody = "{ name = \"all\", decision = \"allow\", include = [{ everyone = {} }] }";
    let mut world = World::builder()
        .wiki_policies(&format!("[{everybody}]"))
        .start()
        .await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    let contractors = "{ name = \"contractors\", decision = \"deny\", \
         include = [{ oidc = { claim_name = \"employment\", claim_value = \"contractor\" } }] }";
    world
        .declare(|plan| {
            plan.provider("claims = [\"employment\"]")
                .wiki_policies(&format!("[{contractors}, {everybody}]"))
        })
        .await;
    let mut seen = 0;
    for _ in 0..40 {
        seen = alice.fetch(&world.host("wiki"), "/x", &[]).await.status;
        if seen != 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(seen, 403);
    // Whoever is asked now and has no such claim has none.
    let arrival = world.person(ALICE).open(&world.host("wiki"), "/x").await;
    assert_eq!(arrival.status(), 200, "{}", arrival.text());
}

/// The token is good, and so are the policies: it is the sign-in that counts no more.
#[tokio::test]
async fn a_session_of_a_provider_that_is_no_longer_allowed_is_sent_to_sign_in() {
    let second = format!(
        "[[identity_providers]]\nname = \"Second\"\ntype = \"azureAD\"\n[identity_providers.config]\n\
         client_id = \"{CLIENT}\"\ndirectory_id = \"{TENANT}\"\nclient_secret = \"{SECRET}\"\nazure_cloud = \"mock\"\n\
         support_groups = true\n"
    );
    let policies = "[{ name = \"all\", decision = \"allow\", include = [{ everyone = {} }] }]";
    let allowed = |provider: &'static str| {
        let second = second.clone();
        move |plan: Builder| {
            plan.wiki(&format!("allowed_idps = [\"{provider}\"]"))
                .wiki_policies(policies)
                .more(&second)
        }
    };
    let mut world = allowed("Entra ID")(World::builder()).start().await;
    let mut alice = world.signed_in(ALICE, &["wiki"]).await;
    for (provider, status) in [("Second", 302), ("Entra ID", 200)] {
        world.declare(allowed(provider)).await;
        let mut seen = 0;
        for _ in 0..40 {
            seen = alice.fetch(&world.host("wiki"), "/x", &[]).await.status;
            if seen == status {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen, status, "{provider}");
    }
    // Signing in where it counts opens it, and that session is another.
    world.declare(allowed("Second")).await;
    let began = std::time::Instant::now();
    while alice.fetch(&world.host("wiki"), "/x", &[]).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(5), "it still counts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let arrival = alice.open(&world.host("wiki"), "/x").await;
    assert!(
        arrival.status() == 200 && arrival.asked_entra(),
        "{}",
        arrival.text()
    );
}
