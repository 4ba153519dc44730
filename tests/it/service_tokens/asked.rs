//! Machines behind another proxy, which asks.

use serde_json::json;

use super::{Factory, claims, token_set};
use crate::forward_auth::question::{ASKERS, Asker, Question};
use crate::support::world::{FORWARD_AUTH_SECRET, World};

#[tokio::test]
async fn a_machine_passes_by_its_secret_and_by_the_cookie_it_was_given() {
    let listen = format!(
        "forward_auth = {{ address = \"127.0.0.1:0\", peers = [\"127.0.0.1/32\"], secret = \"{FORWARD_AUTH_SECRET}\" }}"
    );
    let factory = Factory::start_in(World::builder().listen(&listen), "localhost", json!({})).await;
    let at = factory.world.forward_auth();
    let question = Question::about("POST", &factory.world.authority("www"), "/build");
    let [(id_name, id), (secret_name, secret)] = factory.ci.pair();
    let shown = |secret: &str| {
        question
            .clone()
            .line(&format!("{id_name}: {id}"))
            .line(&format!("{secret_name}: {secret}"))
            .line("Cookie: own=1")
    };
    for asker in ASKERS {
        let reply = shown(secret).answer(asker, at).await.unwrap();
        assert_eq!(reply.status, 200, "{asker:?}: {}", reply.text());
        let assertion = reply.header("cf-access-jwt-assertion").unwrap();
        assert_eq!(claims(assertion)["common_name"], id, "{asker:?}");
        assert_eq!(reply.header("cf-access-authenticated-user-email"), Some(""));
        let cookie = format!("own=1; CF_Authorization={assertion}");
        assert_eq!(reply.header("cookie"), Some(cookie.as_str()));
        assert!(
            !reply.headers.iter().any(|(_, value)| value.contains(secret)),
            "{asker:?}"
        );
        let token = token_set(&reply).expect("a cookie in place of the secret");
        let again = question
            .clone()
            .line(&format!("Cookie: CF_Authorization={token}"));
        assert_eq!(again.answer(asker, at).await.unwrap().status, 200, "{asker:?}");

        let bad = shown("wrong").answer(asker, at).await.unwrap();
        assert!(matches!(bad.status, 401 | 403), "{asker:?}: {}", bad.status);
        let elsewhere = Question {
            host: factory.world.authority("wiki"),
            ..shown(secret)
        };
        let status = elsewhere.answer(asker, at).await.unwrap().status;
        assert!((300..500).contains(&status), "{asker:?}: {status}");
        if asker == Asker::Nginx {
            assert!(matches!(status, 401 | 403));
        }
    }
}
