//! The register of users.

use super::people::Person;
use crate::support::database::on_both;
use vestibule::store::{Actor, ActorKind, Audited, Marks, UserFilter, UserOrder};

on_both! {
    async fn users_come_a_page_at_a_time_in_the_order_of_their_first_login(database) {
        let store = database.store().await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (_, user) = Person::new().sign_in(&store).await;
            ids.push((user.created_ms, user.id.to_string()));
        }
        ids.sort();
        let all = UserFilter::default();
        let listed = store.users_page(&all, (2, 0), &Marks::default()).await.unwrap();
        let rest = store.users_page(&all, (2, 2), &Marks::default()).await.unwrap();
        let found: Vec<_> = listed.iter().chain(&rest).map(|user| (user.created_ms, user.id.to_string())).collect();
        assert_eq!(found, ids);
        assert_eq!(store.users_count(&all).await.unwrap(), 3);
        let filter = |name: Option<&str>, email: Option<&str>, search: Option<&str>| UserFilter {
            name: name.map(str::to_owned),
            email: email.map(str::to_owned),
            search: search.map(str::to_owned),
        };
        for (filter, wanted) in [
            (filter(None, Some("zoe@example.com"), None), 3),
            (filter(None, Some("zoe@example.com"), Some("ZO")), 3),
            (filter(None, Some("zoe@example.com"), Some("%")), 0),
            (filter(Some("nobody"), Some("zoe@example.com"), None), 0),
            (filter(None, None, Some("NULL")), 3),
            (filter(Some("Zoë \0 Null"), None, None), 3),
            (filter(Some("Zoë"), None, None), 0),
        ] {
            assert_eq!(store.users_count(&filter).await.unwrap(), wanted, "{filter:?}");
            assert_eq!(store.users_page(&filter, (10, 0), &Marks::default()).await.unwrap().len() as u64, wanted, "{filter:?}");
        }
        let mut place = None;
        let mut gone_through = Vec::new();
        loop {
            let users = store.users_after(place, 2).await.unwrap();
            let Some((last, _)) = users.last() else { break };
            place = Some((last.created_ms, last.id.to_string()));
            gone_through.extend(users.into_iter().map(|(user, session)| {
                assert_eq!(session.unwrap().user, user.id);
                (user.created_ms, user.id.to_string())
            }));
        }
        assert_eq!(gone_through, ids);
    }

    async fn a_page_that_begins_at_a_mark_is_the_same_page(database) {
        const PEOPLE: &str = "INSERT INTO users (id, provider, tenant, object, email, name, generation, deprovisioned, created_ms, \
             last_login_ms) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1203) \
             SELECT SUBSTR('00000000' || i, LENGTH('00000000' || i) - 7) || '-0000-4000-8000-000000000001', \
             '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000002', \
             SUBSTR('00000000' || i, LENGTH('00000000' || i) - 7) || '-0000-4000-8000-000000000003', NULL, 'Zoë ' || i, 0, 0, \
             i / 7, i FROM c";
        let store = database.store().await;
        database.run(PEOPLE).await;
        let all = UserFilter::default();
        let marks = store.register_marks().await.unwrap();
        for offset in [0, 1, 499, 500, 501, 999, 1000, 1190, 1203, 5000] {
            let begun = store.users_page(&all, (25, offset), &marks).await.unwrap();
            let counted = store.users_page(&all, (25, offset), &Marks::default()).await.unwrap();
            assert_eq!(begun, counted, "{offset}");
            assert_eq!(counted.len() as u64, 1203_u64.saturating_sub(offset).min(25), "{offset}");
        }
    }

    async fn whoever_is_taken_out_comes_back_by_a_login_as_the_same(database) {
        let store = database.store().await;
        let person = Person::new();
        let (_, user) = person.sign_in(&store).await;
        assert!(user.seat);
        let actor = Actor { kind: ActorKind::ApiToken, name: "terraform".to_owned() };
        let taken_out = store.order(user.id, &UserOrder::TakeOut, "administrator", &actor).await.unwrap().unwrap();
        assert_eq!(taken_out.ended.len(), 1);
        assert_eq!(store.order(user.id, &UserOrder::TakeOut, "administrator", &actor).await.unwrap(), None);
        let [line] = store.audit(10, 1).await.unwrap().try_into().unwrap();
        assert_eq!((line.action.as_str(), line.kind, line.id, line.after), ("delete", Audited::User, user.id.0, None));
        let before = line.before.unwrap();
        assert_eq!((before["email"].as_str(), &before["sessions"]), (user.email.as_deref(), &serde_json::json!(1)));
        assert_eq!(store.registered(user.id).await.unwrap(), None);
        assert_eq!(store.users_count(&UserFilter::default()).await.unwrap(), 0);
        let kept = store.user(user.id).await.unwrap().unwrap();
        assert_eq!((kept.email, kept.name, kept.seat), (None, None, false));
        let (_, back) = person.sign_in(&store).await;
        assert_eq!((back.id, back.seat), (user.id, true));
        // What no gateway has to follow stands behind the last change.
        for name in ["Ada", "Grace"] {
            let order = UserOrder::Rename(name.to_owned());
            assert!(store.order(user.id, &order, "", &actor).await.unwrap().unwrap().ended.is_empty());
            let line = store.audit(1, 1).await.unwrap().remove(0);
            assert_eq!(line.after.unwrap()["name"], name);
        }
        let again = store.order(user.id, &UserOrder::FreeSeat, "administrator", &actor).await.unwrap().unwrap();
        assert_eq!(again.ended.len(), 1);
        assert_eq!(store.audit(10, 1).await.unwrap().len(), 4);
        assert!(store.registered(user.id).await.unwrap().is_some());
    }
}
