//! What is answered to whom: as Access answers, and abuse cases 65, 86 and 91.

use serde_json::json;

use super::{Credentials, Factory, issue, token_set};
use crate::support::log;
use crate::support::origin::MARK;
use crate::support::tenant::ALICE;
use crate::support::wire::Reply;
use crate::support::world::World;

fn is_refused(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 403, "{what}");
    assert!(reply.header("cf-access-aud").is_some(), "{what}");
    assert_eq!(token_set(reply), None, "{what}");
    assert!(!reply.text().contains(MARK), "{what}");
}

/// Abuse cases 65 and 91.
#[tokio::test]
async fn bad_credentials_open_nothing() {
    let factory = Factory::start().await;
    let (id, secret) = (factory.ci.client_id.as_str(), factory.ci.secret.as_str());
    let (name_id, name_secret) = ("CF-Access-Client-Id", "CF-Access-Client-Secret");
    let unknown = format!("{}.access", "0".repeat(32));
    let hits = factory.world.origin.hits();
    let spellings = [
        secret[..secret.len() - 1].to_owned(),
        format!("{secret}0"),
        secret.to_uppercase(),
        secret.to_lowercase(),
        format!("\"{secret}\""),
        format!("{secret}%20"),
        format!("{secret},{secret}"),
        secret.repeat(100),
    ];
    for spelling in &spellings {
        let reply = factory
            .ask("www", &[(name_id, id), (name_secret, spelling)])
            .await;
        is_refused(&reply, spelling);
    }
    for (what, headers) in [
        (
            "unknown id",
            vec![(name_id, unknown.as_str()), (name_secret, secret)],
        ),
        (
            "id in capitals",
            vec![(name_id, &*id.to_uppercase()), (name_secret, secret)],
        ),
        ("id without secret", vec![(name_id, id)]),
        ("secret without id", vec![(name_secret, secret)]),
        (
            "two ids",
            vec![(name_id, id), (name_id, id), (name_secret, secret)],
        ),
        (
            "two secrets",
            vec![(name_id, id), (name_secret, secret), (name_secret, "x")],
        ),
        ("as basic credentials", vec![("Authorization", "Basic eDp5")]),
        (
            "in one header that was not named",
            vec![("Authorization", &*factory.ci.written())],
        ),
    ] {
        is_refused(&factory.ask("www", &headers).await, what);
    }
    let query = format!("/x?cf-access-client-id={id}&cf-access-client-secret={secret}");
    let host = factory.world.host("www");
    is_refused(
        &factory.world.anonymous().fetch(&host, &query, &[]).await,
        "in the query",
    );
    let body = format!("CF-Access-Client-Id: {id}\r\nCF-Access-Client-Secret: {secret}");
    let url = factory.world.anonymous().address(&host, "/x");
    is_refused(
        &factory
            .world
            .anonymous()
            .request("POST", &url, &[], body.as_bytes())
            .await,
        "in the body",
    );
    assert_eq!(factory.world.origin.hits(), hits);
    factory.let_in("www", &factory.ci.pair()).await;
}

#[tokio::test]
async fn a_token_opens_what_names_it_and_asks_people_to_sign_in_elsewhere() {
    let factory = Factory::start().await;
    let other = issue(&factory.world, "Other", "8760h").await;
    factory.until(403, "www", &other.pair()).await;
    // Allow policies are for people: a token does not log in.
    for (host, credentials) in [("wiki", &factory.ci), ("unlisted", &other)] {
        let reply = factory.ask(host, &credentials.pair()).await;
        assert_eq!(reply.status, 302, "{host}");
        assert_eq!(token_set(&reply), None, "{host}");
    }
    let wrong = factory.ci.with_secret("wrong");
    assert_eq!(factory.ask("unlisted", &wrong.pair()).await.status, 302);
    factory.let_in("unlisted", &factory.ci.pair()).await;

    let any =
        json!({"name": "any", "decision": "non_identity", "include": [{"any_valid_service_token": {}}]});
    factory.protect("www", &[any], json!({})).await;
    factory.let_in("www", &other.pair()).await;
    factory.let_in("www", &factory.ci.pair()).await;
    is_refused(&factory.ask("www", &wrong.pair()).await, "wrong secret");
    is_refused(&factory.ask("www", &[]).await, "none");
}

#[tokio::test]
async fn people_come_in_beside_machines_and_are_told_apart() {
    let factory = Factory::start().await;
    let mut alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let host = factory.world.host("unlisted");
    let hits = factory.world.origin.hits();
    assert_eq!(alice.fetch(&host, "/x", &[]).await.status, 200);
    // A bad token beside a good session is as none; a good one goes first.
    assert_eq!(
        alice
            .fetch(&host, "/x", &factory.ci.with_secret("wrong").pair())
            .await
            .status,
        200
    );
    assert_eq!(
        alice.clone().fetch(&host, "/x", &factory.ci.pair()).await.status,
        200
    );
    let seen = factory.world.origin.since(hits);
    let emails: Vec<_> = seen
        .iter()
        .map(|seen| seen.header("cf-access-authenticated-user-email"))
        .collect();
    assert_eq!(emails, [Some(ALICE), Some(ALICE), None]);
}

#[tokio::test]
async fn service_auth_by_address_needs_no_token_and_names_nobody() {
    let factory = Factory::start().await;
    let here =
        json!({"name": "here", "decision": "non_identity", "include": [{"ip": {"ip": "127.0.0.0/8"}}]});
    factory.protect("www", &[here], json!({})).await;
    let (reply, seen) = factory.let_in("www", &[]).await;
    let assertion = seen.header("cf-access-jwt-assertion").unwrap();
    assert_eq!(super::claims(assertion)["common_name"], "");
    assert_eq!(token_set(&reply), None, "a cookie would open nothing");
    let elsewhere =
        json!({"name": "there", "decision": "non_identity", "include": [{"ip": {"ip": "192.0.2.0/24"}}]});
    let cookie = format!("CF_Authorization={assertion}");
    factory.protect("www", &[elsewhere], json!({})).await;
    is_refused(
        &factory.ask("www", &[("Cookie", &cookie)]).await,
        "the token of an address",
    );
}

#[tokio::test]
async fn one_header_holds_both_parts_where_the_application_says_so() {
    for name in ["X-Service-Token", "Authorization"] {
        let settings = json!({"read_service_tokens_from_header": name});
        let factory = Factory::start_in(World::builder(), "localhost", settings).await;
        let written = factory.ci.written();
        let (reply, seen) = factory.let_in("www", &[(name, &written)]).await;
        assert_eq!(seen.header(name), None);
        assert!(token_set(&reply).is_some());
        factory.let_in("www", &factory.ci.pair()).await;
        for bad in [
            written.replace(&factory.ci.secret, "wrong"),
            written.replace('}', ",}"),
            format!("{{\"cf-access-client-id\":\"{}\"}}", factory.ci.client_id),
        ] {
            is_refused(&factory.ask("www", &[(name, &bad)]).await, &bad);
        }
        is_refused(
            &factory.ask("www", &[(name, &written), (name, &written)]).await,
            "twice",
        );

        // No upstream sees it, of whatever application: here one that everybody may open.
        let hits = factory.world.origin.hits();
        let wiki = factory.world.host("wiki");
        let mut client = factory.world.anonymous();
        let lower = name.to_lowercase().replace('-', "_");
        let headers = [(name, written.as_str()), (lower.as_str(), written.as_str())];
        assert_eq!(client.fetch(&wiki, "/public/x", &headers).await.status, 200);
        let [seen] = factory.world.origin.since(hits).try_into().unwrap();
        assert!(!seen.head.contains(&factory.ci.secret), "{}", seen.head);
        // What an application asks for in `Authorization` itself goes on.
        let (_, seen) = factory
            .let_in(
                "www",
                &[
                    factory.ci.pair()[0],
                    factory.ci.pair()[1],
                    ("Authorization", "Basic eDp5"),
                ],
            )
            .await;
        assert_eq!(seen.header("authorization"), Some("Basic eDp5"));
    }
}

#[tokio::test]
async fn a_refusal_is_explained_with_the_token_that_was_shown() {
    let factory = Factory::start().await;
    let mut alice = factory.world.signed_in(ALICE, &["unlisted"]).await;
    let only = json!({
        "name": "bob with CI", "decision": "allow",
        "include": [{ "email": { "email": "bob@contoso.example" } }],
        "require": [{ "service_token": { "token_id": factory.ci.id } }],
    });
    factory.protect("unlisted", &[only], json!({})).await;
    let host = factory.world.host("unlisted");
    let refused = alice.fetch(&host, "/x", &factory.ci.pair()).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let id = log::request_id(&refused.text()).unwrap();
    let told: Vec<String> = log::told_of(&id).iter().map(ToString::to_string).collect();
    let explained = told.iter().find(|line| line.contains("bob with CI"));
    let explained = explained.unwrap_or_else(|| panic!("{told:?}"));
    // The one rule that could be met is the one about the token.
    assert!(explained.contains(": yes"), "{explained}");
}

#[tokio::test]
async fn no_trailer_takes_a_secret_to_an_upstream() {
    let settings = json!({"read_service_tokens_from_header": "X-Service-Token"});
    let factory = Factory::start_in(World::builder(), "localhost", settings).await;
    let written = factory.ci.written();
    let (host, authority) = (factory.world.host("wiki"), factory.world.authority("wiki"));
    let hits = factory.world.origin.hits();
    let mut wire = factory.world.dial().connect(&host).await;
    wire.send(format!(
        "POST /public/trailers HTTP/1.1\r\nHost: {authority}\r\nTransfer-Encoding: chunked\r\n\
         Trailer: X-Service-Token, X-Checksum\r\n\r\n\
         4\r\nbody\r\n0\r\nX-Service-Token: {written}\r\nX_Service_Token: {written}\r\nX-Checksum: 7\r\n\r\n"
    ))
    .await;
    assert_eq!(wire.reply().await.unwrap().status, 200);
    let [seen] = factory.world.origin.since(hits).try_into().unwrap();
    assert_eq!(seen.trailers, ["x-checksum: 7"]);
    assert_eq!(seen.header("trailer"), Some("x-checksum"));
}

/// Abuse case 86.
#[tokio::test]
async fn many_bad_secrets_are_told_to_wait_and_the_holder_is_not() {
    let factory = Factory::start().await;
    let wrong = factory.ci.with_secret("cfast_wrong");
    let mut statuses = Vec::new();
    for _ in 0..80 {
        statuses.push(factory.ask("www", &wrong.pair()).await.status);
    }
    assert_eq!((statuses[0], statuses[79]), (403, 429), "{statuses:?}");
    let reply = factory.ask("unlisted", &wrong.pair()).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("10")));
    let id = log::request_id(&reply.text()).unwrap();
    assert!(
        log::told_of(&id)
            .iter()
            .any(|line| line.to_string().contains("too_many_failures"))
    );
    // The holder shares the address, and a person does.
    factory.let_in("www", &factory.ci.pair()).await;
    assert_eq!(factory.ask("unlisted", &[]).await.status, 302);
    let wiki = factory.world.host("wiki");
    let mut client = factory.world.anonymous();
    assert_eq!(
        client.fetch(&wiki, "/public/x", &wrong.pair()).await.status,
        200,
        "everybody may"
    );
}

#[tokio::test]
async fn no_line_of_the_log_holds_a_secret() {
    let factory = Factory::start().await;
    let wrong = Credentials::with_secret(&factory.ci, "cfast_not-the-secret-but-close-to-it");
    for credentials in [&factory.ci, &wrong] {
        let reply = factory.ask("www", &credentials.pair()).await;
        if let Some(id) = log::request_id(&reply.text()) {
            for line in log::told_of(&id) {
                assert!(!line.to_string().contains(&credentials.secret), "{line}");
            }
        }
    }
}
