use std::collections::HashMap;

use serde_json::Value;

use super::*;
use crate::entra::errors::Class;
use crate::entra::testing::{Stub, settings};
use crate::model::idp::ClientCredential;

const PATH: &str = "/token";
const SUCCESS: &str = include_str!("../../../tests/fixtures/entra/token/success_code.json");
const EXPIRED_SECRET: &str =
    include_str!("../../../tests/fixtures/entra/token/error_7000222_secret_expired.json");

fn recorded(file: &str) -> (u16, Vec<(&'static str, String)>, String) {
    let file: Value = serde_json::from_str(file).unwrap();
    let status = u16::try_from(file["status"].as_u64().unwrap()).unwrap();
    let body = file["body_raw"]
        .as_str()
        .map_or_else(|| file["body"].to_string(), str::to_owned);
    (
        status,
        vec![("content-type", "application/json; charset=utf-8".to_owned())],
        body,
    )
}

async fn redeem(stub: &Stub, next: Option<&str>) -> Result<Tokens, EntraError> {
    let mut settings = settings(&stub.at(""));
    settings.credential = ClientCredential::Secret {
        current: "sampl~e.Secret+value=".into(),
        next: next.map(SecretString::from),
    };
    let redirect_uri = "https://access.corp.example/cdn-cgi/access/callback"
        .parse()
        .unwrap();
    let grant = Grant::Code {
        code: &"1.AUEA".into(),
        redirect_uri: &redirect_uri,
        pkce_verifier: Some(&"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".into()),
    };
    let endpoint = stub.at(PATH).parse().unwrap();
    exchange(&Outbound::new().unwrap(), &settings, &endpoint, &grant, 0).await
}

async fn stub(answer: (u16, Vec<(&'static str, String)>, String)) -> Stub {
    Stub::start(HashMap::from([(PATH, answer)])).await
}

#[tokio::test]
async fn a_code_is_redeemed_in_the_body_and_no_secret_stands_in_a_header() {
    let stub = stub(recorded(SUCCESS)).await;
    let tokens = redeem(&stub, None).await.unwrap();
    assert!(tokens.identity.is_some() && tokens.refresh.is_some());
    assert!(!format!("{tokens:?}").contains("eyJ"), "Debug shows no token");
    let requests = stub.requests();
    let body: HashMap<_, _> = url::form_urlencoded::parse(requests[0].body.as_bytes())
        .into_owned()
        .collect();
    assert_eq!(body["grant_type"], "authorization_code");
    assert_eq!(body["client_secret"], "sampl~e.Secret+value=");
    assert_eq!(
        body["code_verifier"],
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    assert_eq!(
        body["redirect_uri"],
        "https://access.corp.example/cdn-cgi/access/callback"
    );
    assert!(
        !requests[0].headers.contains_key("authorization") && !requests[0].headers.contains_key("origin")
    );
}

#[tokio::test]
async fn the_next_secret_takes_over_where_the_present_one_is_refused() {
    let stub = stub(recorded(EXPIRED_SECRET)).await;
    stub.then(PATH, recorded(SUCCESS));
    redeem(&stub, Some("the-next")).await.unwrap();
    assert!(stub.requests()[1].body.contains("client_secret=the-next"));
}

#[tokio::test]
async fn another_refusal_is_final() {
    let disabled = include_str!("../../../tests/fixtures/entra/token/error_50057_user_disabled.json");
    let stub = stub(recorded(disabled)).await;
    let refused = redeem(&stub, Some("the-next")).await.unwrap_err();
    assert_eq!(refused.class(), Class::Revoked);
    assert_eq!(stub.asked(PATH), 1);
}

#[tokio::test]
async fn both_secrets_refused_is_an_alarm() {
    let stub = stub(recorded(EXPIRED_SECRET)).await;
    let refused = redeem(&stub, Some("the-next")).await.unwrap_err();
    assert!(refused.explain().alarm);
    assert_eq!(stub.asked(PATH), 2);
}

#[tokio::test]
async fn html_empty_and_cut_answers_are_transient() {
    let html = recorded(include_str!(
        "../../../tests/fixtures/entra/token/error_500_html.json"
    ));
    let page = |status: u16, kind: &str, body: &str| {
        (status, vec![("content-type", kind.to_owned())], body.to_owned())
    };
    let (_, _, success) = recorded(SUCCESS);
    for answer in [
        html,
        page(400, "text/html", "<html>"),
        page(502, "text/plain", ""),
        page(200, "text/html", "<html>eyJhbGciOi</html>"),
        page(200, "application/json", ""),
        page(200, "application/json", &success[..success.len() / 2]),
        page(302, "text/html", ""),
    ] {
        let failed = redeem(&stub(answer.clone()).await, None).await.unwrap_err();
        assert_eq!(failed.class(), Class::Transient, "{answer:?}");
        assert!(!format!("{failed} {failed:?}").contains("eyJ"), "{failed:?}");
    }
}

#[tokio::test]
async fn the_wait_that_microsoft_asks_for_is_passed_on() {
    let (status, mut headers, body) = recorded(include_str!(
        "../../../tests/fixtures/entra/token/error_429_throttled.json"
    ));
    headers.push(("retry-after", "17".to_owned()));
    let EntraError::Refused(answer) = redeem(&stub((status, headers, body)).await, None)
        .await
        .unwrap_err()
    else {
        panic!("throttling is a refusal")
    };
    assert_eq!(
        (answer.class, answer.retry_after),
        (Class::Transient, Some(Duration::from_secs(17)))
    );
}
