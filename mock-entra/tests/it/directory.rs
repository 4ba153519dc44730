//! The directory file, the first page, the record of requests and slowness on demand.

use std::path::Path;

use mock_entra::{Directory, Endpoint, Fault, FileFault, MockEntra, demo};

use crate::support::{World, refresh};

#[tokio::test]
async fn the_example_file_describes_a_directory_that_runs() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/directory.toml");
    let entra = MockEntra::start(Directory::from_file(&example).unwrap())
        .await
        .unwrap();
    let summary = entra.summary();
    for expected in [
        "Contoso",
        "alice@contoso.example",
        "guest",
        "Wiki",
        "http://localhost:3000/callback",
    ] {
        assert!(summary.contains(expected), "{expected} is missing in {summary}");
    }
}

#[test]
fn a_file_with_a_mistake_is_refused_with_its_reason() {
    let folder = std::env::temp_dir().join(format!("mock-entra-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("directory.json");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        Directory::from_file(&file).err().unwrap()
    };
    let unknown = load(r#"{"tenants":[{"id":"x","name":"T","domain":["t.example"]}]}"#);
    assert!(
        matches!(&unknown, FileFault::Malformed { reason, .. } if reason.contains("domain")),
        "{unknown}"
    );
    let dangling =
        r#"{"tenants":[{"id":"x","name":"T","groups":[{"id":"g","name":"G","members":["nobody"]}]}]}"#;
    let dangling = load(dangling);
    assert!(
        matches!(&dangling, FileFault::Dangling { reason, .. } if reason.contains("nobody")),
        "{dangling}"
    );
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(
        Directory::from_file(&file).err(),
        Some(FileFault::Unreadable { .. })
    ));
}

#[tokio::test]
async fn the_first_page_tells_tenants_people_and_settings() {
    let world = World::start().await;
    let page = world.http.get(world.entra.base_url()).send().await.unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let page = page.text().await.unwrap();
    for expected in [
        "Contoso",
        demo::ALICE,
        demo::CLIENT_ID,
        "openid-configuration",
        "and 244 more",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    assert!(!page.contains(demo::CLIENT_SECRET));
}

#[tokio::test]
async fn requests_are_recorded_without_secrets() {
    let world = World::start().await;
    let tokens = world.tokens_of(demo::ALICE).await;
    world
        .token(refresh(tokens["refresh_token"].as_str().unwrap()))
        .await;
    let grants: Vec<_> = world
        .entra
        .requests()
        .into_iter()
        .filter_map(|request| request.grant)
        .collect();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    assert_eq!(
        (
            world.entra.count(Endpoint::Token),
            world.entra.count(Endpoint::Authorize)
        ),
        (2, 1)
    );
    assert!(!format!("{:?}", world.entra.requests()).contains(demo::CLIENT_SECRET));
    world.entra.forget_requests();
    assert_eq!(world.entra.count(Endpoint::Token), 0);
}

#[tokio::test]
async fn an_endpoint_takes_its_time_and_breaks_on_demand() {
    let world = World::start().await;
    world.entra.fail_next(Fault::Slow {
        endpoint: Endpoint::Token,
        ms: 150,
    });
    let started = std::time::Instant::now();
    world.token(world.app_login()).await;
    assert!(started.elapsed().as_millis() >= 150);
    let base = world.entra.base_url();
    for (fault, path) in [
        (Fault::Jwks { status: 503 }, "discovery/v2.0/keys"),
        (
            Fault::Discovery { status: 502 },
            "v2.0/.well-known/openid-configuration",
        ),
    ] {
        let status = |world: &World| world.http.get(format!("{base}/{}/{path}", demo::TENANT)).send();
        world.entra.fail_next(fault);
        assert!(status(&world).await.unwrap().status().is_server_error());
        assert_eq!(status(&world).await.unwrap().status(), 200);
    }
}
