//! Directories that fall silent, and how long what they told is kept.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use vestibule::store::ScimUpdateFilter;

use super::client::{Directory, provider};
use super::provisioned;
use crate::support::log;

#[tokio::test]
async fn a_directory_that_was_silent_before_a_restart_is_told_of_after_it() {
    let mut world = provisioned("silence_alarm = \"61m\"\n").start().await;
    let directory = Directory::of(&world).await;
    directory.get("/Users?count=0").await;
    world.pass(SignedDuration::from_hours(2));
    world.restart().await;
    let id = provider(&world).to_string();
    let began = Instant::now();
    while !log::lines_with(&id)
        .iter()
        .any(|line| line["alarm"] == true && line.to_string().contains("61 minutes"))
    {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_directory_told_is_forgotten_when_its_time_is_over() {
    let mut world = provisioned("silence_alarm = \"1h\"\nlog_retention = \"48h\"\n")
        .start()
        .await;
    let directory = Directory::of(&world).await;
    directory.get("/Users?count=0").await;
    world.pass(SignedDuration::from_hours(47));
    directory.get("/Groups?count=0").await;
    let rows = async |world: &crate::support::world::World| {
        let store = world.store().await;
        let rows = store.scim_updates(&ScimUpdateFilter::default()).await.unwrap();
        rows.into_iter()
            .filter_map(|row| row.resource_type)
            .collect::<Vec<_>>()
    };
    let settled = async |world: &crate::support::world::World, wanted: &[&str]| {
        let began = Instant::now();
        while rows(world).await != wanted {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "{:?}",
                rows(world).await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // What recurs is done at the start and then every minute.
    world.restart().await;
    settled(&world, &["GROUP", "USER"]).await;
    world.pass(SignedDuration::from_hours(2));
    world.restart().await;
    settled(&world, &["GROUP"]).await;
    world.pass(SignedDuration::from_hours(47));
    world.restart().await;
    settled(&world, &[]).await;
}
