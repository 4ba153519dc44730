//! What a round did is written down, however it ends.

use std::time::{Duration, Instant};

use mock_entra::User;
use sqlx::Row as _;
use vestibule::store::Kind;

use super::{grant, provider, read_with};
use crate::scim::EVERYTHING;
use crate::support::somebody;
use crate::support::tenant::TENANT;
use crate::support::world::World;

/// How many people the directory told of, and how many rows tell that somebody came: at one moment.
const KEPT: &str = "SELECT (SELECT COUNT(*) FROM scim_users) AS people, \
     (SELECT COUNT(*) FROM scim_updates WHERE method = 'POST' AND resource_type = 'USER') AS rows_of_people";

async fn kept(pool: &sqlx::AnyPool) -> (i64, i64) {
    let row = sqlx::query(KEPT).fetch_one(pool).await.unwrap();
    (row.get("people"), row.get("rows_of_people"))
}

/// A directory of many people, of which the first round is asked for.
async fn first_round(many: usize) -> World {
    let world = read_with(EVERYTHING).start().await;
    for number in 0..many {
        let user = User::member(format!("many{number}@contoso.example"));
        world.entra.tenant(TENANT).add_user(user);
    }
    grant(&world);
    let store = &world.running().store;
    store
        .want_directory_sync(provider(&world), &somebody())
        .await
        .unwrap();
    world
}

#[tokio::test]
async fn nothing_is_in_force_of_which_no_row_tells() {
    let world = first_round(150).await;
    let pool = world.database().pool().await;
    let began = Instant::now();
    let mut looks = 0;
    loop {
        let (people, rows) = kept(&pool).await;
        assert_eq!(people, rows, "a power cut now would lose rows");
        looks += usize::from(people > 0 && people < 153);
        if people == 153 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{people}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(looks > 3, "the round was looked at while it wrote: {looks}");
}

#[tokio::test]
async fn what_was_done_before_another_gateway_took_over_is_in_the_log() {
    let world = first_round(300).await;
    let pool = world.database().pool().await;
    let began = Instant::now();
    while kept(&pool).await.0 < 20 {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let another = "UPDATE directory_syncs SET holder = 'another'";
    world.database().run(another).await;
    let (people, _) = kept(&pool).await;
    // The round finds out with its next write, and nobody comes any more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (then, rows) = kept(&pool).await;
    assert_eq!((then, rows), (people, people));
    assert!((20..303).contains(&people), "{people}");
}

#[tokio::test]
async fn a_provider_that_is_deleted_in_the_middle_of_a_round_leaves_nothing_behind() {
    let world = first_round(300).await;
    let pool = world.database().pool().await;
    let began = Instant::now();
    while kept(&pool).await.0 < 20 {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (store, provider) = (&world.running().store, provider(&world));
    let mut write = store.write(somebody()).await.unwrap();
    assert!(write.delete(Kind::IdentityProvider, provider.0).await.unwrap());
    write.commit().await.unwrap();
    let told = kept(&pool).await.1;
    assert!((20..303).contains(&told), "{told}");
    tokio::time::sleep(Duration::from_secs(3)).await;
    // What was done stays in the log, and nothing is done any more.
    assert_eq!(kept(&pool).await, (0, told));
    assert_eq!(store.directory_sync(provider).await.unwrap(), None);
}
