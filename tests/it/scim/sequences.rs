//! Life cycles, with a person signed in and a WebSocket open. Every `assert` line of the fixtures is a check here.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::client::{Directory, json_of, provider};
use super::expect::faults;
use super::fixtures::{Run, read};
use super::{EVERYTHING, PROMISE, gets_in, provisioned, socket};
use crate::support::person::Person;
use crate::support::tenant::{ALICE, STAFF};
use crate::support::wire::Wire;
use crate::support::world::World;

/// A sequence under way.
struct Scene {
    world: World,
    directory: Directory,
    alice: Person,
    socket: Wire,
}

/// What makes the resources that placeholders stand for.
const MAKERS: &[(&str, &str)] = &[
    ("{{user.alice}}", "020_user_create"),
    ("{{user.bob}}", "021_user_create_full"),
    ("{{user.carol}}", "022_user_create_string_active"),
    ("{{group.eng}}", "100_group_create"),
];

impl Scene {
    async fn start(settings: &str) -> Self {
        let world = provisioned(settings).start().await;
        let directory = Directory::of(&world).await;
        let alice = world.signed_in(ALICE, &["wiki"]).await;
        let socket = socket(&world, &alice).await;
        Self {
            world,
            directory,
            alice,
            socket,
        }
    }

    /// Runs the steps of a sequence up to one, and gives what is known then.
    async fn steps(&self, run: &mut Run<'_>, sequence: &Value, which: std::ops::Range<usize>) {
        let steps = sequence["steps"].as_array().unwrap();
        for step in &steps[which.start..which.end.min(steps.len())] {
            for (placeholder, maker) in MAKERS {
                let known = run.ids.contains_key(placeholder.trim_matches(['{', '}']));
                if !known && needs(step, placeholder) {
                    let fixture = read(maker);
                    let wrong = run.step(maker, &fixture, &fixture["expect"]).await;
                    assert!(wrong.is_empty(), "{wrong:?}");
                }
            }
            self.step(run, step).await;
        }
    }

    async fn step(&self, run: &mut Run<'_>, step: &Value) {
        if let Some(name) = step["fixture"].as_str() {
            let mut fixture = read(name);
            let mut expected = fixture["expect"].clone();
            if let Some(replaced) = step["replace"].as_object() {
                let mut text = fixture["request"].to_string();
                for (old, new) in replaced {
                    let new = new.as_str().unwrap();
                    text = text
                        .replace(old, new)
                        .replace(&old.replace('@', "%40"), &new.replace('@', "%40"));
                }
                fixture["request"] = serde_json::from_str(&text).unwrap();
            }
            if let Some(body) = step.get("expect_body") {
                expected = json!({ "status": expected["status"], "body": body });
            }
            let wrong = run.step(name, &fixture, &expected).await;
            assert!(wrong.is_empty(), "{wrong:?}");
        } else if step["method"].is_string() {
            let reply = run.send(step, step["path"].as_str().unwrap()).await;
            let body = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            let wrong = faults(&json!({ "status": step["status"] }), reply.status, &body);
            assert!(wrong.is_empty(), "{wrong:?}");
        } else {
            // A login has happened before every sequence; a note is for the reader.
            assert!(
                matches!(step["action"].as_str(), Some("oidc_login" | "note")),
                "{step}"
            );
        }
    }

    /// Everything of Alice's is over within the promised time.
    async fn is_out(&mut self) {
        let began = Instant::now();
        self.socket.end().await;
        let took = began.elapsed();
        assert!(took < PROMISE, "the socket was open for {took:?}");
        assert!(!gets_in(&self.world, &self.alice).await);
        assert!(began.elapsed() < PROMISE);
    }

    /// She is signed in as before, her socket open.
    async fn is_in(&mut self) {
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(gets_in(&self.world, &self.alice).await);
        self.socket.send(b"again").await;
        assert_eq!(self.socket.take(5).await, b"again");
    }

    async fn signs_in(&self) -> (u16, String) {
        let mut browser = self.world.person(ALICE);
        let arrival = browser.open(&self.world.host("wiki"), "/").await;
        (arrival.status(), arrival.text())
    }

    async fn user(&self) -> vestibule::store::User {
        let store = self.world.store().await;
        let emails = store.users_with_email(&ALICE.parse().unwrap()).await.unwrap();
        emails.into_iter().next().unwrap()
    }
}

fn needs(step: &Value, placeholder: &str) -> bool {
    let fixture = step["fixture"].as_str().map(read);
    let request = fixture.as_ref().map_or(step, |fixture| &fixture["request"]);
    let expected = fixture
        .as_ref()
        .map_or(Value::Null, |fixture| fixture["expect"]["body"].clone());
    let expected = if step.get("expect_body").is_some() {
        Value::Null
    } else {
        expected
    };
    request.to_string().contains(placeholder) || expected.to_string().contains(placeholder)
}

/// A sequence whose lines are known to be checked here, each one.
fn sequence(name: &str, checked: &[&str]) -> Value {
    let sequence = read(&format!("sequences/{name}"));
    let lines: Vec<&str> = sequence["assert"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect();
    assert_eq!(lines, checked, "each line is a check");
    sequence
}

#[tokio::test]
async fn a_joiner_is_found_by_id_from_then_on() {
    let sequence = sequence(
        "s01_joiner",
        &[
            "user exists with id cached by Entra; later requests use the id only",
            "incremental cycles every ~40 minutes",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    let alice = run.ids["user.alice"].clone();
    scene.is_in().await;
    scene.world.pass(SignedDuration::from_mins(40));
    let found = directory.get(&format!("/Users/{alice}")).await;
    assert_eq!((&found["id"], &found["active"]), (&json!(alice), &json!(true)));
    directory
        .patch(
            &format!("/Users/{alice}"),
            json!([{ "op": "Replace", "path": "title", "value": "x" }]),
        )
        .await;
    assert_eq!(directory.get(&format!("/Users/{alice}")).await["title"], "x");
}

#[tokio::test]
async fn whoever_is_unassigned_is_out_and_stays_findable() {
    let sequence = sequence(
        "s02_disable_unassign",
        &[
            "active=false",
            "every gateway session, refresh token and cached group set of the user is revoked at once (user_deprovision)",
            "seat is freed when seat_deprovision is on",
            "user stays readable by id and filter",
            "no DELETE follows after unassignment unless the user gets hard-deleted while still in scope",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    scene.is_out().await;
    let alice = run.ids["user.alice"].clone();
    assert_eq!(directory.get(&format!("/Users/{alice}")).await["active"], false);
    let found = directory
        .get("/Users?filter=userName+eq+%22alice%40corp.example%22")
        .await;
    assert_eq!(found["Resources"][0]["id"], json!(alice));

    let store = scene.world.store().await;
    let user = scene.user().await;
    assert!(user.deprovisioned && !user.seat);
    for session in store.sessions_of(user.id).await.unwrap() {
        assert_eq!(session.ended_cause.as_deref(), Some("deprovisioned"));
        assert!(
            !store.may_mint(&session.nonce).await.unwrap(),
            "with the session its refresh token is dead"
        );
    }
    // Nothing else comes: she stays out, though Entra would sign her in.
    let (status, page) = scene.signs_in().await;
    assert_eq!(status, 403);
    assert!(page.contains("account"), "{page}");
}

#[tokio::test]
async fn whoever_is_restored_has_the_same_id_and_groups_and_signs_in_again() {
    let sequence = sequence(
        "s03_restore",
        &[
            "same id and same group memberships as before",
            "user has to log in again: sessions revoked in s02 stay dead",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..1).await;
    let alice = run.ids["user.alice"].clone();
    let group = directory.group(STAFF, "Staff", &[&alice]).await;
    scene.steps(&mut run, &sequence, 1..9).await;
    scene.is_out().await;
    let found = directory.get(&format!("/Users/{alice}")).await;
    assert_eq!(found["active"], true);
    let members = directory.get(&format!("/Groups/{group}")).await["members"].clone();
    assert_eq!(members[0]["value"], json!(alice));
    assert!(
        !gets_in(&scene.world, &scene.alice).await,
        "the old cookie is worth nothing"
    );
    assert_eq!(scene.signs_in().await.0, 200);
    let user = scene.user().await;
    assert!(!user.deprovisioned && user.seat);
}

#[tokio::test]
async fn whoever_is_deleted_is_gone_and_another_gets_another_id() {
    let sequence = sequence(
        "s04_hard_delete",
        &[
            "user gone from groups",
            "seat freed",
            "a later user with the same userName gets a new id",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..1).await;
    let alice = run.ids["user.alice"].clone();
    let group = directory.group(STAFF, "Staff", &[&alice]).await;
    scene.steps(&mut run, &sequence, 1..9).await;
    scene.is_out().await;
    assert_eq!(
        directory.get(&format!("/Groups/{group}")).await["members"],
        json!([])
    );
    assert!(!scene.user().await.seat);
    assert_eq!(scene.signs_in().await.0, 403);
    let again = directory
        .person("0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c", "alice@corp.example")
        .await;
    assert_ne!(again, alice);
    assert_eq!(scene.signs_in().await.0, 200, "the directory tells of her anew");
}

#[tokio::test]
async fn a_conflict_is_the_same_each_time() {
    let sequence = sequence(
        "s05_409_recovery",
        &["409 is retried every cycle, it is a per-object error and counts towards quarantine"],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    for _ in 0..3 {
        scene.world.pass(SignedDuration::from_mins(40));
        scene.steps(&mut run, &sequence, 2..3).await;
    }
    assert_eq!(directory.get("/Users?count=0").await["totalResults"], 1);
    scene.is_in().await;
}

#[tokio::test]
async fn a_group_is_filled_shrunk_renamed_and_deleted_under_open_sessions() {
    let sequence = sequence(
        "s06_group_lifecycle",
        &[
            "users first, then groups, then memberships",
            "a membership change re-evaluates the open sessions of that user (group_member_deprovision)",
            "nested groups are never sent",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    // Users first.
    for name in [
        "020_user_create",
        "021_user_create_full",
        "022_user_create_string_active",
    ] {
        let fixture = read(name);
        assert!(run.step(name, &fixture, &fixture["expect"]).await.is_empty());
    }
    scene.steps(&mut run, &sequence, 0..5).await;
    let group = run.ids["group.eng"].clone();
    let members = directory.get(&format!("/Groups/{group}")).await["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 3);
    scene.is_in().await;
    // Alice leaves the group that lets her in: her open socket is decided anew, and cut.
    scene.steps(&mut run, &sequence, 5..6).await;
    let began = Instant::now();
    scene.socket.end().await;
    assert!(began.elapsed() < PROMISE, "{:?}", began.elapsed());
    let reply = scene
        .alice
        .clone()
        .fetch(&scene.world.host("wiki"), "/x", &[])
        .await;
    assert_eq!(reply.status, 403, "she is signed in, and not let in");
    directory.add_member(&group, &run.ids["user.alice"]).await;
    assert!(
        gets_in(&scene.world, &scene.alice).await,
        "the same session, decided anew"
    );
    scene.steps(&mut run, &sequence, 6..7).await;
    assert!(gets_in(&scene.world, &scene.alice).await, "a name is a label");
    scene.steps(&mut run, &sequence, 7..8).await;
    assert!(!gets_in(&scene.world, &scene.alice).await, "the group is gone");
    // A group inside a group is passed over.
    let outer = directory
        .group("a1000009-1111-4a11-8a11-000000000009", "Outer", &[])
        .await;
    let inner = directory
        .group("a1000010-1111-4a11-8a11-000000000010", "Inner", &[])
        .await;
    directory.add_member(&outer, &inner).await;
    assert_eq!(
        directory.get(&format!("/Groups/{outer}")).await["members"],
        json!([])
    );
}

#[tokio::test]
async fn a_rename_keeps_the_person() {
    let sequence = sequence(
        "s07_rename",
        &[
            "identity record keeps its key (oid/externalId), e-mail based policies use the new address",
            "identity_update_behavior decides: automatic / reauth / no_action",
        ],
    );
    for behavior in ["automatic", "reauth", "no_action"] {
        let settings = format!("identity_update_behavior = \"{behavior}\"\n");
        let mut scene = Scene::start(&settings).await;
        let directory = scene.directory.clone();
        let mut run = Run::new(&directory);
        scene.steps(&mut run, &sequence, 0..1).await;
        let (alice, before) = (run.ids["user.alice"].clone(), scene.user().await);
        // The address she signed in with.
        directory
            .patch(
                &format!("/Users/{alice}"),
                json!([{ "op": "Replace", "path": "emails[type eq \"work\"].value", "value": ALICE }]),
            )
            .await;
        scene.steps(&mut run, &sequence, 1..2).await;
        assert_eq!(scene.user().await.id, before.id);
        let linked = scene
            .world
            .store()
            .await
            .scim_user_of(before.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(linked.id.to_string(), alice);
        scene.is_in().await;
        let email = scene
            .world
            .origin
            .last()
            .header("cf-access-authenticated-user-email")
            .unwrap()
            .to_owned();
        let wanted = if behavior == "automatic" {
            "alice.married@corp.example"
        } else {
            ALICE
        };
        assert_eq!(email, wanted, "{behavior}");
    }
}

#[tokio::test]
async fn a_person_who_signed_in_first_is_linked_and_not_in_the_way() {
    let sequence = sequence(
        "s08_login_before_scim",
        &[
            "link by oid == externalId when the admin maps objectId, else by userName/work e-mail equal to the login e-mail (case-insensitive)",
            "POST answers 201 and does not 409 on the login-created identity",
            "never link across identity providers",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    let store = scene.world.store().await;
    let user = scene.user().await;
    let linked = store.scim_user_of(user.id).await.unwrap().unwrap();
    assert_eq!(linked.id.to_string(), run.ids["user.alice"]);
    assert_eq!(linked.provider, provider(&scene.world));
    scene.is_in().await;
    // By address, in another case, where the directory's id is none of Entra's.
    directory
        .delete(&format!("/Users/{}", run.ids["user.alice"]))
        .await;
    scene.is_out().await;
    // What another provider's directory tells is about other people.
    let elsewhere = vestibule::model::ids::IdpId(uuid::Uuid::from_u128(7));
    assert_eq!(
        store
            .count_scim::<vestibule::store::ScimUser>(elsewhere)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_wrong_mapping_sends_nothing_and_the_guide_warns_of_it() {
    let sequence = sequence(
        "s09_wrong_active_mapping",
        &[
            "Entra sends nothing for the removal because accountEnabled is unchanged; the setup guide must tell to keep the default IsSoftDeleted expression",
        ],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    scene.is_in().await;
    let guide = std::fs::read_to_string("README.md").unwrap();
    assert!(
        guide.contains("IsSoftDeleted"),
        "the guide says which mapping to keep"
    );
}

#[tokio::test]
async fn provisioning_on_demand_speaks_the_old_dialect() {
    let sequence = sequence(
        "s10_provision_on_demand",
        &["uses the non-flag shapes even if aadOptscim062020 is set"],
    );
    let mut scene = Scene::start(EVERYTHING).await;
    let mut directory = scene.directory.clone();
    let mut run = Run::new(&directory);
    scene.steps(&mut run, &sequence, 0..9).await;
    let alice = run.ids["user.alice"].clone();
    assert_eq!(
        directory.get(&format!("/Users/{alice}")).await["displayName"],
        "Alice Demand"
    );
    // The flag in the address changes nothing.
    let flagged = directory
        .ask("GET", &format!("/Users/{alice}?aadOptscim062020"), None)
        .await;
    assert_eq!(json_of(&flagged)["displayName"], "Alice Demand");
    directory.base = format!("{}/", directory.base);
    assert_eq!(
        directory.get(&format!("/Users/{alice}")).await["id"],
        json!(alice)
    );
    scene.is_in().await;
}
