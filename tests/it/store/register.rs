//! The register of users.

use super::people::Person;
use crate::support::database::on_both;
use vestibule::store::UserFilter;

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
        let listed = store.users_page(&all, (2, 0)).await.unwrap();
        let rest = store.users_page(&all, (2, 2)).await.unwrap();
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
            assert_eq!(store.users_page(&filter, (10, 0)).await.unwrap().len() as u64, wanted, "{filter:?}");
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

    async fn whoever_is_taken_out_comes_back_by_a_login_as_the_same(database) {
        let store = database.store().await;
        let person = Person::new();
        let (_, user) = person.sign_in(&store).await;
        assert!(user.seat);
        assert!(store.take_out_of_register(user.id).await.unwrap());
        assert!(!store.take_out_of_register(user.id).await.unwrap());
        assert_eq!(store.registered(user.id).await.unwrap(), None);
        assert_eq!(store.users_count(&UserFilter::default()).await.unwrap(), 0);
        let kept = store.user(user.id).await.unwrap().unwrap();
        assert_eq!((kept.email, kept.name, kept.seat), (None, None, false));
        let (_, back) = person.sign_in(&store).await;
        assert_eq!((back.id, back.seat), (user.id, true));
        assert!(store.registered(user.id).await.unwrap().is_some());
    }
}
