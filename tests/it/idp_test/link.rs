//! The link: one test, ten minutes, made here for this provider, and in no log.

use jiff::SignedDuration;
use url::Url;

use super::{Checklist, READER, ask, link, provider, ready, world};
use crate::support::log;
use crate::support::tenant::ADAM;
use crate::support::world::World;

/// A page that says no, and holds nothing of the test.
async fn refused(world: &World, url: &Url, code: &str) {
    let asked = world.entra.requests().len();
    let reply = world.person(ADAM).get(url).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
    assert!(reply.text().contains(code), "{code}: {}", reply.text());
    assert_eq!(reply.all("set-cookie").count(), 0);
    assert_eq!(world.entra.requests().len(), asked, "Microsoft was asked");
}

#[tokio::test]
async fn a_link_opens_one_test() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let mut adam = world.person(ADAM);
    // Looking at it uses nothing up: mail programs do that.
    ready(&mut world.anonymous(), &link).await;
    let go = ready(&mut adam, &link).await;
    Checklist(adam.follow(go.clone()).await).says("Person", "ok", &[]);
    for url in [&link, &go] {
        refused(&world, url, "already used").await;
    }
}

#[tokio::test]
async fn only_a_get_uses_a_link_up() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let mut adam = world.person(ADAM);
    let go = ready(&mut adam, &link).await;
    let asked = world.entra.requests().len();
    let looked = world.anonymous().request("HEAD", &go, &[], b"").await;
    assert_eq!((looked.status, looked.header("location")), (200, None));
    assert_eq!(world.entra.requests().len(), asked, "Microsoft was asked");
    Checklist(adam.follow(go).await).says("Person", "ok", &[]);
}

#[tokio::test]
async fn two_at_once_begin_one_test() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let (mut one, mut two) = (world.person(ADAM), world.person(ADAM));
    let go = ready(&mut one, &link).await;
    let (first, second) = tokio::join!(one.get(&go), two.get(&go));
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [302, 403]);
}

#[tokio::test]
async fn a_link_ends_after_ten_minutes() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let go = ready(&mut world.anonymous(), &link).await;
    world.pass(SignedDuration::from_secs(601));
    for url in [&link, &go] {
        refused(&world, url, "too old").await;
    }
}

#[tokio::test]
async fn a_link_is_for_one_provider_and_cannot_be_made_up() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let with = |change: &dyn Fn(&str) -> String| change(link.as_str()).parse::<Url>().unwrap();
    let id = provider(&world);
    let without = with(&|url| url.split('?').next().unwrap().to_owned());
    let empty = with(&|url| format!("{}?token=", url.split('?').next().unwrap()));
    let other = with(&|url| url.replace(&id, "00000000-1111-4222-8333-444444444444"));
    let cut = with(&|url| url[..url.len() - 2].to_owned());
    let gone_on = with(&|url| format!("{}?token=x&go=1", url.split('?').next().unwrap()));
    for url in [&without, &empty, &other, &cut, &gone_on] {
        refused(&world, url, "opens with a link only").await;
    }
    // On an application's host there is no such page.
    let mut anonymous = world.anonymous();
    let path = format!("{}?{}", link.path(), link.query().unwrap());
    let elsewhere = anonymous.fetch(&world.host("wiki"), &path, &[]).await;
    assert_eq!(elsewhere.status, 404);
    let unknown = anonymous
        .fetch(&world.host("login"), "/cdn-cgi/access/test-idp/x", &[])
        .await;
    assert_eq!(unknown.status, 404);
    let posted = anonymous.request("POST", &link, &[], b"").await;
    assert_eq!(posted.status, 405);
    // Who may only look makes none.
    let (status, _) = ask(&world, "POST", &id, READER).await;
    assert_eq!(status, 403);
}

#[tokio::test]
async fn the_token_of_a_link_is_in_no_log() {
    let (world, _) = world(|builder| builder).await;
    let link = link(&world).await;
    let (_, token) = link.query_pairs().next().unwrap();
    let mut adam = world.person(ADAM);
    let go = ready(&mut adam, &link).await;
    let list = Checklist(adam.follow(go).await);
    refused(&world, &link, "already used").await;
    let id = log::request_id(&list.0.text()).unwrap();
    let told = log::told_of(&id);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].to_string().contains("A provider was tested"), "{told:#?}");
    assert!(!log::contains(&token));
    let said = told[0].to_string();
    assert!(
        !said.contains(ADAM),
        "the page is for who tests, not the log: {said}"
    );
}

#[tokio::test]
async fn the_command_prints_a_link_that_the_gateway_takes() {
    let (world, _) = world(|builder| builder).await;
    for name in ["Entra ID".to_owned(), provider(&world)] {
        let said = world.type_in(&["idp", "test", &name]).await.fine();
        let link: Url = said.lines().next().unwrap().parse().unwrap();
        let mut adam = world.person(ADAM);
        let go = ready(&mut adam, &link).await;
        Checklist(adam.follow(go).await).says("Person", "ok", &[]);
        refused(&world, &link, "already used").await;
    }
    let said = world.type_in(&["idp", "test", "Okta"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(64), ""));
    assert!(
        said.err.contains("no identity provider is called \"Okta\""),
        "{said:?}"
    );
}
