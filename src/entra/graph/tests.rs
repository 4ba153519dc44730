use std::collections::HashMap;

use super::*;
use crate::entra::groups;
use crate::entra::testing::Stub;
use crate::model::identity::Groups;

const PATH: &str = "/v1.0/me/transitiveMemberOf/microsoft.graph.group";
const FIRST: &str = "a1000001-1111-4a11-8a11-000000000001";
const FOURTH: &str = "a1000004-1111-4a11-8a11-000000000004";

fn page(next: Option<&str>, id: &str) -> String {
    let mut page = json!({ "value": [{ "id": id, "displayName": "Engineering" }] });
    if let Some(next) = next {
        page["@odata.nextLink"] = next.into();
    }
    page.to_string()
}

async fn read(stub: &Stub) -> Result<Groups, GraphFailed> {
    let (outbound, graph, token) = (
        Outbound::new().unwrap(),
        stub.at("/").parse().unwrap(),
        "t0ken".into(),
    );
    groups::read(&mut Graph::new(&outbound, &graph, &token)).await
}

async fn stub(status: u16, headers: Vec<(&'static str, String)>, body: &str) -> Stub {
    Stub::start(HashMap::from([(PATH, (status, headers, body.to_owned()))])).await
}

fn fixture(text: &str) -> (u16, String) {
    let file: Value = serde_json::from_str(text).unwrap();
    (
        u16::try_from(file["status"].as_u64().unwrap()).unwrap(),
        file["body"].to_string(),
    )
}

fn unknown(result: Result<Groups, GraphFailed>) -> (Vec<Group>, String) {
    match result {
        Ok(Groups::Unknown { partial, reason }) => (partial, reason),
        other => panic!("{other:?} is not unknown"),
    }
}

#[tokio::test]
async fn each_request_is_counted_with_its_status() {
    let stub = stub(200, vec![], &page(None, FIRST)).await;
    let counted = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = counted.clone();
    let outbound = Outbound::new()
        .unwrap()
        .observed(move |operation, status| seen.lock().unwrap().push((operation, status)));
    let (graph, token) = (stub.at("/").parse().unwrap(), "t0ken".into());
    groups::read(&mut Graph::new(&outbound, &graph, &token))
        .await
        .unwrap();
    assert_eq!(*counted.lock().unwrap(), [("transitive_member_of", 200)]);
}

#[tokio::test]
async fn all_pages_are_read_each_with_the_same_headers() {
    let stub = stub(200, vec![], "").await;
    let next = stub.at(&format!(
        "{PATH}?$select=id,displayName&$top=3&$count=true&$skiptoken=RFNwdAoA%2F+x"
    ));
    stub.answer(PATH, 200, &page(Some(&next), FIRST));
    stub.answer(next.strip_prefix(&stub.at("")).unwrap(), 200, &page(None, FOURTH));
    let groups = read(&stub).await.unwrap();
    let ids: Vec<String> = groups.held().iter().map(|group| group.id.to_string()).collect();
    assert_eq!(ids, [FIRST, FOURTH]);
    assert!(groups.complete());
    let requests = stub.requests();
    assert!(
        requests[1].target.ends_with("$skiptoken=RFNwdAoA%2F+x"),
        "{}",
        requests[1].target
    );
    for request in requests.iter() {
        assert_eq!(request.headers["consistencylevel"], "eventual");
        assert_eq!(request.headers["authorization"], "Bearer t0ken");
    }
}

#[tokio::test]
async fn no_group_at_all_is_known() {
    let (status, body) = fixture(include_str!(
        "../../../tests/fixtures/entra/graph/transitiveMemberOf_empty.json"
    ));
    assert_eq!(
        read(&stub(status, vec![], &body).await).await.unwrap(),
        Groups::Known { groups: vec![] }
    );
}

#[tokio::test]
async fn roles_are_no_groups_and_missing_names_no_fault() {
    let mixed = include_str!("../../../tests/fixtures/entra/graph/transitiveMemberOf_mixed_no_cast.json");
    let limited = include_str!("../../../tests/fixtures/entra/graph/transitiveMemberOf_limited_info.json");
    for (text, name) in [(mixed, Some("Engineering")), (limited, None)] {
        let (status, body) = fixture(text);
        let groups = read(&stub(status, vec![], &body).await).await.unwrap();
        let [group] = groups.held() else {
            panic!("{groups:?}")
        };
        assert_eq!(
            (group.id.to_string().as_str(), group.name.as_deref()),
            (FIRST, name)
        );
    }
}

#[tokio::test]
async fn the_token_is_not_sent_to_another_host() {
    let elsewhere = Stub::start(HashMap::new()).await;
    for next in [
        elsewhere.at(PATH),
        "https://graph.microsoft.com/v1.0/me".to_owned(),
        "/v1.0/me".to_owned(),
    ] {
        let stub = stub(200, vec![], &page(Some(&next), FIRST)).await;
        let (partial, _) = unknown(read(&stub).await);
        assert_eq!(partial.len(), 1, "{next}: the groups of the first page are held");
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_list_that_breaks_off_is_unknown_and_keeps_what_came() {
    let denied = fixture(include_str!(
        "../../../tests/fixtures/entra/graph/error_403_authorization_denied.json"
    ));
    for (status, body) in [
        denied,
        (200, "<html>".to_owned()),
        (200, r#"{"value":[{"id":"x"}]}"#.to_owned()),
    ] {
        let stub = stub(200, vec![], "").await;
        let next = stub.at("/next");
        stub.answer(PATH, 200, &page(Some(&next), FIRST));
        stub.answer("/next", status, &body);
        let (partial, reason) = unknown(read(&stub).await);
        assert_eq!(partial.len(), 1);
        assert!(!reason.is_empty());
    }
}

#[tokio::test]
async fn an_endless_list_ends() {
    let stub = stub(200, vec![], "").await;
    stub.answer(PATH, 200, &page(Some(&stub.at(PATH)), FIRST));
    let (partial, _) = unknown(read(&stub).await);
    assert_eq!(partial.len(), MAX_PAGES);
    assert_eq!(stub.asked(PATH), MAX_PAGES);
}

#[tokio::test]
async fn throttling_is_waited_out_where_the_wait_is_short() {
    let stub = stub(429, vec![("retry-after", "0.05".to_owned())], "{}").await;
    stub.then(PATH, (503, vec![("retry-after", "0".to_owned())], String::new()));
    stub.then(PATH, (200, vec![], page(None, FIRST)));
    assert!(read(&stub).await.unwrap().complete());
    assert_eq!(stub.asked(PATH), 3);
}

#[tokio::test]
async fn a_login_does_not_wait_longer_than_ten_seconds() {
    let (status, body) = fixture(include_str!("../../../tests/fixtures/entra/graph/error_503.json"));
    let stub = stub(status, vec![("retry-after", "30".to_owned())], &body).await;
    unknown(read(&stub).await);
    assert_eq!(stub.asked(PATH), 1);
}

#[tokio::test]
async fn the_number_of_repetitions_is_bounded() {
    let stub = stub(429, vec![("retry-after", "0".to_owned())], "{}").await;
    unknown(read(&stub).await);
    assert_eq!(stub.asked(PATH), 1 + IN_A_LOGIN.retries as usize);
}

#[tokio::test]
async fn an_unsupported_query_falls_back_to_ids() {
    let (status, body) = fixture(include_str!(
        "../../../tests/fixtures/entra/graph/error_400_unsupported_query.json"
    ));
    let stub = stub(status, vec![], &body).await;
    let (status, ids) = fixture(include_str!(
        "../../../tests/fixtures/entra/graph/getMemberGroups.json"
    ));
    stub.answer("/v1.0/me/getMemberGroups", status, &ids);
    let groups = read(&stub).await.unwrap();
    assert!(groups.complete());
    assert_eq!(groups.held().len(), 3);
    assert_eq!(stub.requests()[1].body, r#"{"securityEnabledOnly":false}"#);
}

#[tokio::test]
async fn a_claims_challenge_is_decoded_whatever_stands_before_it() {
    let file = include_str!("../../../tests/fixtures/entra/graph/error_401_cae_claims_challenge.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let challenge = file["headers"]["WWW-Authenticate"].as_str().unwrap();
    let pop = format!(r#"PoP realm="", claims="e30=", {challenge}"#);
    let padless = challenge.replace("==", "");
    for header in [challenge.to_owned(), padless] {
        let stub = stub(401, vec![("www-authenticate", header)], "{}").await;
        let expected = r#"{"access_token":{"nbf":{"essential":true,"value":"1767226122"}}}"#;
        assert_eq!(
            read(&stub).await,
            Err(GraphFailed::ClaimsChallenge(expected.to_owned()))
        );
    }
    let before = stub(401, vec![("www-authenticate", pop)], "{}").await;
    assert!(
        matches!(read(&before).await, Err(GraphFailed::ClaimsChallenge(claims)) if claims.contains("nbf"))
    );
    let expired = stub(
        401,
        vec![("www-authenticate", "Bearer realm=\"\"".to_owned())],
        "{}",
    )
    .await;
    unknown(read(&expired).await);
}
