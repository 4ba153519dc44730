//! The log of logins and refusals.

use uuid::Uuid;
use vestibule::model::ids::{AppId, IdpId, UserId};
use vestibule::store::{AccessRequest, AccessRequestFilter, NON_IDENTITY, Store};

use super::people::ADDRESS;
use crate::support::database::on_both;

type Kept = fn(&AccessRequest) -> bool;
type Ask = Box<dyn Fn(&mut AccessRequestFilter) + Send + Sync>;

/// Lines that are older than any other.
const MANY: &str = "INSERT INTO access_requests (id, request_id, at_ms, action, allowed, connection, address) \
     WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1203) \
     SELECT CAST(i AS TEXT), 'old', i / 1000, 'login', 1, 'azureAD', '192.0.2.1' FROM c";

on_both! {
    async fn a_request_comes_back_as_it_was_written(database) {
        let store = database.store().await;
        let written = request("r1", 10, true);
        store.log_access(&written).await.unwrap();
        assert_eq!(store.access_requests(&AccessRequestFilter::default()).await.unwrap(), vec![written]);
    }

    async fn each_filter_keeps_what_it_names(database) {
        let store = database.store().await;
        let (first, mut second, third) = (request("r1", 10, true), request("r2", 20, false), request("r3", 30, true));
        second.email = Some("bob@example.com".to_owned());
        for written in [&first, &second, &third] {
            store.log_access(written).await.unwrap();
        }
        let all = AccessRequestFilter::default;
        assert_eq!(ids(&store, all()).await, ["r3", "r2", "r1"], "newest first");
        assert_eq!(ids(&store, AccessRequestFilter { email: second.email, ..all() }).await, ["r2"]);
        assert_eq!(ids(&store, AccessRequestFilter { allowed: Some(false), ..all() }).await, ["r2"]);
        assert_eq!(ids(&store, AccessRequestFilter { app: first.app, ..all() }).await, ["r1"]);
        assert_eq!(ids(&store, AccessRequestFilter { since_ms: Some(20), ..all() }).await, ["r3", "r2"]);
        assert_eq!(ids(&store, AccessRequestFilter { until_ms: Some(20), ..all() }).await, ["r1"]);
        assert_eq!(ids(&store, AccessRequestFilter { request_id: Some("r3".to_owned()), ..all() }).await, ["r3"]);
    }

    async fn pages_are_of_the_size_asked_for(database) {
        let store = database.store().await;
        for (at_ms, id) in ["r1", "r2", "r3"].into_iter().enumerate() {
            store.log_access(&request(id, i64::try_from(at_ms).unwrap(), true)).await.unwrap();
        }
        let page = |page| AccessRequestFilter { limit: 2, page, ..AccessRequestFilter::default() };
        assert_eq!(ids(&store, page(1)).await, ["r3", "r2"]);
        assert_eq!(ids(&store, page(2)).await, ["r1"]);
        assert!(ids(&store, page(3)).await.is_empty());
        let endless = AccessRequestFilter { limit: u32::MAX, page: u32::MAX, ..AccessRequestFilter::default() };
        assert!(ids(&store, endless).await.is_empty());
    }

    async fn filters_together_keep_what_each_of_them_keeps(database) {
        let store = database.store().await;
        let mut written = Vec::new();
        for number in 0..24_i64 {
            let mut line = request(&format!("r{number}"), number, number % 2 == 0);
            line.app = (number % 3 > 0).then(|| AppId(Uuid::from_u128(u128::from(number % 3 == 1))));
            line.user = (number % 4 > 0).then(|| UserId(Uuid::from_u128(u128::from(number % 4 == 1))));
            line.email = (number % 5 > 0).then(|| format!("p{}@example.com", number % 5));
            line.country = (number % 7 > 3).then(|| "DE".to_owned());
            line.provider = (number % 6 > 2).then(|| IdpId(Uuid::from_u128(u128::from(number % 6 == 5))));
            line.connection = if number % 8 == 0 { NON_IDENTITY } else { "azureAD" }.to_owned();
            store.log_access(&line).await.unwrap();
            written.push(line);
        }
        written.reverse();
        let one = Uuid::from_u128(1);
        let filters: Vec<(Ask, Kept)> = vec![
            (Box::new(|f| f.allowed = Some(false)), |r| !r.allowed),
            (Box::new(move |f| f.app = Some(AppId(one))), |r| r.app == Some(AppId(Uuid::from_u128(1)))),
            (Box::new(move |f| f.app_not = Some(AppId(one))), |r| r.app != Some(AppId(Uuid::from_u128(1)))),
            (Box::new(|f| f.app_known = Some(false)), |r| r.app.is_none()),
            (Box::new(move |f| f.user = Some(UserId(one))), |r| r.user == Some(UserId(Uuid::from_u128(1)))),
            (Box::new(|f| f.user_known = Some(true)), |r| r.user.is_some()),
            (Box::new(|f| f.user_known = Some(false)), |r| r.user.is_none()),
            (Box::new(|f| f.email = Some("p2@example.com".to_owned())), |r| r.email.as_deref() == Some("p2@example.com")),
            (Box::new(|f| f.email_not = Some("p2@example.com".to_owned())), |r| r.email.as_deref() != Some("p2@example.com")),
            (Box::new(|f| f.email_contains = Some("P2@".to_owned())), |r| r.email.as_deref() == Some("p2@example.com")),
            (Box::new(|f| f.country = Some("DE".to_owned())), |r| r.country.is_some()),
            (Box::new(|f| f.country_not = Some("DE".to_owned())), |r| r.country.is_none()),
            (Box::new(move |f| f.provider = Some(IdpId(one))), |r| r.provider == Some(IdpId(Uuid::from_u128(1)))),
            (Box::new(move |f| f.provider_not = Some(IdpId(one))), |r| r.provider != Some(IdpId(Uuid::from_u128(1)))),
            (Box::new(|f| f.non_identity = Some(false)), |r| r.connection != NON_IDENTITY),
            (Box::new(|f| f.since_ms = Some(5)), |r| r.at_ms >= 5),
            (Box::new(|f| f.until_ms = Some(20)), |r| r.at_ms < 20),
            (Box::new(|f| f.request_id_not = Some("r7".to_owned())), |r| r.request_id != "r7"),
            (Box::new(|f| f.action = Some("login")), |_| true),
        ];
        for (first, (ask, keeps)) in filters.iter().enumerate() {
            for (also_ask, also_keeps) in &filters[first..] {
                let mut filter = AccessRequestFilter::default();
                ask(&mut filter);
                also_ask(&mut filter);
                if filter.user_known == Some(false) && first == 5 {
                    continue; // the one took the other's place
                }
                let wanted = written.iter().filter(|line| keeps(line) && also_keeps(line));
                let wanted: Vec<_> = wanted.map(|line| line.request_id.clone()).collect();
                assert_eq!(ids(&store, filter.clone()).await, wanted, "{filter:?}");
                let backwards = AccessRequestFilter { oldest_first: true, ..filter };
                let mut other: Vec<_> = ids(&store, backwards.clone()).await;
                other.reverse();
                assert_eq!(other, ids(&store, AccessRequestFilter { oldest_first: false, ..backwards }).await);
            }
        }
    }

    async fn old_lines_are_forgotten_however_many(database) {
        let store = database.store().await;
        database.run(MANY).await;
        store.log_access(&request("old", 9, true)).await.unwrap();
        store.log_access(&request("new", 10, true)).await.unwrap();
        store.forget_access_requests(10).await.unwrap();
        assert_eq!(ids(&store, AccessRequestFilter::default()).await, ["new"]);
    }

    async fn one_request_may_leave_two_lines(database) {
        let store = database.store().await;
        store.log_access(&request("same", 1, true)).await.unwrap();
        store.log_access(&request("same", 2, false)).await.unwrap();
        assert_eq!(ids(&store, AccessRequestFilter::default()).await.len(), 2);
    }
}

fn request(id: &str, at_ms: i64, allowed: bool) -> AccessRequest {
    AccessRequest {
        request_id: id.to_owned(),
        at_ms,
        action: "login".to_owned(),
        allowed,
        app: Some(AppId(Uuid::new_v4())),
        app_domain: Some("wiki.example.com".to_owned()),
        app_name: Some("Wiki".to_owned()),
        provider: Some(IdpId(Uuid::new_v4())),
        connection: "azureAD".to_owned(),
        user: Some(UserId(Uuid::new_v4())),
        email: Some("zoe@example.com".to_owned()),
        address: ADDRESS,
        country: None,
        reason: None,
        explanation: None,
    }
}

async fn ids(store: &Store, filter: AccessRequestFilter) -> Vec<String> {
    let requests = store.access_requests(&filter).await.unwrap();
    requests.into_iter().map(|request| request.request_id).collect()
}
