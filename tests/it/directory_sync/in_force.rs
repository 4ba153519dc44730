//! What a round does is what the provider says in the store when it does it.

use super::{ALICE_OID, granted, provider, read_with, sync, told};
use crate::scim::gets_in;
use crate::support::behind::rewrite_provider;
use crate::support::database::on_both;
use crate::support::tenant::ALICE;

type Change = fn(&mut serde_json::Value);

on_both! {
    async fn a_round_writes_nothing_by_settings_that_are_others_in_the_store(database) {
        let world = granted(read_with("").on(&database)).await;
        let browser = world.signed_in(ALICE, &["wiki"]).await;
        world.entra.disable_user(ALICE_OID);
        let changes: [(&str, Change); 3] = [
            ("rules", |provider| provider["directory_sync"]["user_deprovision"] = true.into()),
            ("off", |provider| provider["directory_sync"]["enabled"] = false.into()),
            ("another directory", |provider| {
                provider["config"]["directory_id"] = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e0000".into();
            }),
        ];
        for (what, change) in changes {
            let mut before = serde_json::Value::Null;
            rewrite_provider(&database, |provider| {
                before = provider.clone();
                change(provider);
            })
            .await;
            let stands = sync(&world).await;
            let failure = stands.failure.unwrap_or_default();
            assert!(failure.contains("settings were changed"), "{what}: {failure}");
            assert!(told(&world, ALICE_OID).await.unwrap().record.is_active(), "{what}");
            rewrite_provider(&database, |provider| *provider = before).await;
        }
        assert_eq!(sync(&world).await.failure, None);
        assert!(!told(&world, ALICE_OID).await.unwrap().record.is_active());
        assert!(gets_in(&world, &browser).await, "nothing is to follow");
        assert!(world.running().store.directory_sync(provider(&world)).await.unwrap().is_some());
    }
}
