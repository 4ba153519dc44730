//! The log of logins and refusals.

use uuid::Uuid;
use vestibule::model::ids::{AppId, IdpId, UserId};
use vestibule::store::{AccessRequest, AccessRequestFilter, Store};

use super::people::ADDRESS;
use crate::support::database::on_both;

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

    async fn old_lines_are_forgotten(database) {
        let store = database.store().await;
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
