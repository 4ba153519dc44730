//! The log of logins and refusals, as the API shows it.

use serde_json::{Value, json};

use super::{call, world};
use crate::support::tenant::{ALICE, MALLORY};

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "one log, read in every way")]
async fn the_log_is_filtered_as_at_access() {
    let world = world().await;
    world.signed_in(ALICE, &["wiki"]).await;
    world.pass(jiff::SignedDuration::from_secs(60));
    let refused = world.person(MALLORY).open(&world.host("other"), "/").await;
    assert_eq!(refused.status(), 403);
    let path = "/access/logs/access_requests";
    let answer = call(&world, "GET", path, None).await;
    assert_eq!(answer.body.get("result_info"), None);
    let all = answer.result(200);
    let all = all.as_array().unwrap();
    let refusal = all.iter().find(|row| row["allowed"] == json!(false)).unwrap();
    let login = all.iter().find(|row| row["user_email"] == json!(ALICE)).unwrap();
    let keys: Vec<_> = refusal.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "action",
            "allowed",
            "app_domain",
            "app_uid",
            "connection",
            "created_at",
            "ip_address",
            "ray_id",
            "user_email"
        ]
    );
    assert_eq!(
        (&refusal["action"], &refusal["connection"]),
        (&json!("login"), &json!("azureAD"))
    );
    assert!(refused.text().contains(refusal["ray_id"].as_str().unwrap()));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (other, wiki) = (text(&refusal["app_uid"]), text(&login["app_uid"]));
    let ray = text(&refusal["ray_id"]);
    let full = call(
        &world,
        "GET",
        &format!("{path}?fields=idp,ray_id,app_name,explanation&ray_id={ray}"),
        None,
    )
    .await
    .result(200);
    assert_eq!(full[0]["app_name"], "Other");
    assert!(full[0]["explanation"].as_str().unwrap().contains("staff"));
    assert_eq!(full[0].as_object().unwrap().len(), 4);
    let provider = text(&full[0]["idp"]);
    let between = text(&refusal["created_at"]);

    let rows = |allowed: Option<bool>, email: Option<&str>, app: Option<&str>| {
        let kept = all.iter().filter(|row| {
            allowed.is_none_or(|allowed| row["allowed"] == json!(allowed))
                && email.is_none_or(|email| row["user_email"] == json!(email))
                && app.is_none_or(|app| row["app_uid"] == json!(app))
        });
        kept.count()
    };
    let total = all.len();
    assert!(total >= 2);
    for (query, wanted) in [
        ("email=ALICE".to_owned(), rows(None, Some(ALICE), None)),
        ("email=contoso&emailOp=contains".to_owned(), total),
        ("email=contoso&emailOp=eq".to_owned(), 0),
        ("email=contoso&email_exact=true".to_owned(), 0),
        (
            format!("email={ALICE}&email_exact=true"),
            rows(None, Some(ALICE), None),
        ),
        (format!("email={ALICE}&emailOp=eq"), rows(None, Some(ALICE), None)),
        (
            format!("email={ALICE}&emailOp=neq"),
            total - rows(None, Some(ALICE), None),
        ),
        ("allowed=false".to_owned(), rows(Some(false), None, None)),
        (
            "allowed=false&allowedOp=neq".to_owned(),
            rows(Some(true), None, None),
        ),
        (format!("app_uid={other}"), rows(None, None, Some(&other))),
        (
            format!("app_uid={wiki}&app_uidOp=neq"),
            total - rows(None, None, Some(&wiki)),
        ),
        ("app_type=self_hosted".to_owned(), total),
        ("app_type=self_hosted&app_typeOp=neq".to_owned(), 0),
        ("app_type=saas".to_owned(), 0),
        ("app_type=saas&app_typeOp=neq".to_owned(), total),
        ("country_code=DE".to_owned(), 0),
        ("country_code=DE&country_codeOp=neq".to_owned(), total),
        (format!("idp={provider}"), total),
        (format!("idp={provider}&idpOp=neq"), 0),
        ("non_identity=true".to_owned(), 0),
        ("non_identity=true&non_identityOp=neq".to_owned(), total),
        ("non_identity=false".to_owned(), total),
        (
            format!("ray_id={ray}"),
            all.iter().filter(|row| row["ray_id"] == json!(ray)).count(),
        ),
        ("ray_id=00000000-00000000".to_owned(), 0),
        (format!("since={between}"), rows(None, Some(MALLORY), None)),
        (format!("until={between}"), rows(None, Some(ALICE), None)),
        ("limit=1".to_owned(), 1),
        ("per_page=1&page=2".to_owned(), 1),
        ("per_page=1&page=2&limit=1".to_owned(), 0),
        ("page=99".to_owned(), 0),
        ("user_id=whatever".to_owned(), total),
    ] {
        let found = call(&world, "GET", &format!("{path}?{query}"), None)
            .await
            .result(200);
        assert_eq!(found.as_array().unwrap().len(), wanted, "{query}: {found}");
    }
    let oldest = call(&world, "GET", &format!("{path}?direction=asc"), None)
        .await
        .result(200);
    let mut backwards = oldest.as_array().unwrap().clone();
    backwards.reverse();
    assert_eq!(&backwards, all);
    for wrong in [
        "direction=up",
        "since=yesterday",
        "emailOp=like&email=a",
        "allowedOp=contains&allowed=true",
        "allowed=yes",
        "app_uid=7",
        "idp=x",
        "limit=many",
        "fields=password",
    ] {
        assert_eq!(
            call(&world, "GET", &format!("{path}?{wrong}"), None)
                .await
                .error(400)
                .0,
            12130,
            "{wrong}"
        );
    }
}

/// With the path that the application has there, as at Access.
#[tokio::test]
async fn an_address_in_the_log_is_that_of_the_application() {
    let world = world().await;
    let third = world.host("third");
    let app = json!({
        "name": "Third", "type": "self_hosted", "domain": format!("{third}/admin"),
        "destinations": [
            { "type": "public", "uri": format!("{third}/admin") },
            { "type": "public", "uri": format!("{third}/admin/deep") },
        ],
        "policies": [{ "name": "nobody", "decision": "deny", "include": [{ "everyone": {} }] }],
    });
    super::made(&world, "/access/apps", app).await;
    for (path, address) in [
        ("/admin/users?x=1", format!("{third}/admin")),
        ("/admin/deep/er", format!("{third}/admin/deep")),
    ] {
        let refused = world.person(ALICE).open(&third, path).await;
        assert_eq!(refused.status(), 403);
        let rows = call(&world, "GET", "/access/logs/access_requests?allowed=false", None)
            .await
            .result(200);
        assert_eq!(rows[0]["app_domain"], json!(address), "{rows}");
        world.pass(jiff::SignedDuration::from_secs(1));
    }
}
