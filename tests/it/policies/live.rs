//! Rules that change under a live session count for its next request.

use std::time::Duration;

use crate::support::tenant::ALICE;
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
