//! A whole provisioning job against the gateway: cycles in Entra's order, in both dialects, with people signed in.

use std::time::Instant;

use mock_entra::{Dialect, MemberRef, Provisioning};

use super::client::{Directory, fresh_secret};
use super::effects::ALICE_OID;
use super::{EVERYTHING, PROMISE, gets_in, provisioned, socket};
use crate::support::tenant::{ADMINS, ALICE, STAFF, TENANT};
use crate::support::world::World;

async fn job(world: &World, dialect: Dialect) -> (Provisioning, Directory) {
    let directory = Directory::of(world).await;
    let url = format!("http://{}{}", directory.authority, directory.base);
    let job = Provisioning::new(&world.entra, TENANT, &url, &directory.token)
        .dialect(dialect)
        .assign(MemberRef::group(STAFF))
        .assign(MemberRef::group(ADMINS));
    (job, directory)
}

#[tokio::test]
async fn a_job_runs_through_the_life_of_people_and_groups() {
    for dialect in [Dialect::Default, Dialect::Flagged] {
        let world = provisioned(EVERYTHING).start().await;
        let (job, directory) = job(&world, dialect).await;
        assert!(job.test_connection().await);
        let initial = job.cycle().await;
        assert!(initial.failures.is_empty(), "{initial:#?}");
        // Users, then groups, then memberships.
        let written: Vec<(&str, &str)> = initial
            .requests
            .iter()
            .filter(|(method, _, _)| method != "GET")
            .map(|(method, path, _)| (method.as_str(), path.split('/').nth(1).unwrap()))
            .collect();
        assert_eq!(
            written,
            [
                ("POST", "Users"),
                ("POST", "Users"),
                ("POST", "Groups"),
                ("POST", "Groups"),
                ("PATCH", "Groups"),
                ("PATCH", "Groups")
            ]
        );
        assert!(
            job.cycle().await.requests.is_empty(),
            "nothing changed, nothing is sent"
        );

        // Disabled while a socket is open.
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        let mut open = socket(&world, &browser).await;
        world.entra.disable_user(ALICE_OID);
        assert!(job.cycle().await.failures.is_empty());
        let told = Instant::now();
        open.end().await;
        assert!(told.elapsed() < PROMISE && !gets_in(&world, &browser).await);

        // Restored: memberships are not sent again, and hold.
        world.entra.enable_user(ALICE_OID);
        let restored = job.cycle().await;
        assert_eq!(restored.requests.len(), 1, "{restored:#?}");
        let browser = world.signed_in(ALICE, &["wiki"]).await;

        // Moved out of the group: nobody who is assigned any more, so that the account is deactivated.
        world.entra.remove_member(STAFF, &MemberRef::user(ALICE_OID));
        assert!(job.cycle().await.failures.is_empty());
        assert!(!gets_in(&world, &browser).await);
        let found = directory
            .get("/Users?filter=userName+eq+%22alice%40contoso.example%22")
            .await;
        assert_eq!(found["Resources"][0]["active"], false);
        world.entra.add_member(STAFF, MemberRef::user(ALICE_OID));
        assert!(job.cycle().await.failures.is_empty());
        world.signed_in(ALICE, &["wiki"]).await;

        // On demand, in the old dialect; then deleted for good.
        assert!(job.on_demand(ALICE_OID).await.failures.is_empty());
        world.entra.delete_user(ALICE_OID);
        assert!(job.cycle().await.failures.is_empty());
        let purged = job.purge(ALICE_OID).await;
        assert_eq!(
            purged
                .requests
                .iter()
                .map(|(method, _, status)| (method.as_str(), *status))
                .collect::<Vec<_>>(),
            [("DELETE", 204)]
        );
        assert_eq!(directory.get("/Users?count=0").await["totalResults"], 1);
    }
}

#[tokio::test]
async fn a_job_with_a_secret_of_yesterday_is_in_quarantine_until_it_is_started_again() {
    let world = provisioned(EVERYTHING).start().await;
    let (job, _) = job(&world, Dialect::Default).await;
    fresh_secret(&world).await;
    assert!(!job.test_connection().await);
    assert!(job.cycle().await.quarantined);
    let waiting = job.cycle().await;
    assert!(waiting.quarantined && waiting.requests.is_empty());
    job.restart().await;
    assert!(job.cycle().await.quarantined, "the secret is still the old one");
    // Started again with the new one, it finds what it made before.
    let (again, _) = self::job(&world, Dialect::Default).await;
    assert!(again.cycle().await.failures.is_empty());
    again.restart().await;
    let matched = again.cycle().await;
    assert!(matched.failures.is_empty(), "{matched:#?}");
    assert!(
        matched.requests.iter().all(|(method, _, _)| method != "POST"),
        "{matched:#?}"
    );
}

#[tokio::test]
async fn somebody_is_disabled_and_moved_on_the_page() {
    let world = provisioned(EVERYTHING).start().await;
    let (job, _) = job(&world, Dialect::Default).await;
    job.cycle().await;
    world.entra.provision_with(&job);
    let browser = world.signed_in(ALICE, &["wiki"]).await;
    let mut administrator = world.anonymous();
    let page = format!("{}/provisioning", world.entra.base_url())
        .parse()
        .unwrap();
    let shown = administrator.get(&page).await;
    assert!(
        shown.text().contains("Alice Example") && shown.text().contains("Leave Staff"),
        "{}",
        shown.text()
    );
    let form = format!("what=disable&oid={ALICE_OID}");
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let done = administrator
        .request("POST", &page, &headers, form.as_bytes())
        .await;
    assert!(done.text().contains("PATCH"), "{}", done.text());
    assert!(!gets_in(&world, &browser).await);
    let elsewhere = [headers[0], ("Origin", "https://evil.example")];
    let form = format!("what=enable&oid={ALICE_OID}");
    assert_eq!(
        administrator
            .request("POST", &page, &elsewhere, form.as_bytes())
            .await
            .status,
        403
    );
    administrator
        .request("POST", &page, &headers, form.as_bytes())
        .await;
    world.signed_in(ALICE, &["wiki"]).await;
}
