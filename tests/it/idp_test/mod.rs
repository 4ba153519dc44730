//! The test of an identity provider, as who runs the gateway goes through it: a link, a sign-in, a checklist.

mod api;
mod link;
mod nothing_left;
mod tenants;

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use crate::support::database::Database;
use crate::support::person::{Arrival, Person};
use crate::support::wire::Reply;
use crate::support::world::{self, Builder, World};

/// A token of the API that may do everything, and one that may only look.
const TOKEN: &str = "vestibule-idp-test-0123456789-abcdefghijklm";
const READER: &str = "vestibule-idp-test-reader-0123456789-abcdef";

/// A world whose database the test can look into, with tokens of the API.
async fn world(change: impl FnOnce(Builder) -> Builder) -> (World, Arc<Database>) {
    let database = Arc::new(Database::sqlite());
    let tokens = format!(
        r#"
[[api_tokens]]
name = "terraform"
token = "{TOKEN}"
permissions = ["*"]
[[api_tokens]]
name = "reader"
token = "{READER}"
permissions = ["Access: Organizations, Identity Providers, and Groups Read"]
"#
    );
    let builder = World::builder().on(&database).more(&tokens);
    (change(builder).start().await, database)
}

/// The id of the world's provider.
fn provider(world: &World) -> String {
    let snapshot = world.running().published.load();
    let (id, _) = snapshot.providers.iter().next().expect("one provider");
    id.to_string()
}

/// Asks the API about the provider's test.
async fn ask(world: &World, method: &str, provider: &str, token: &str) -> (u16, Value) {
    let path = format!(
        "/accounts/{}/access/identity_providers/{provider}/test",
        world::ACCOUNT
    );
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str())];
    let reply = world.api(method, &path, &headers, b"").await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

/// A fresh link, made by the API.
async fn link(world: &World) -> Url {
    let (status, answer) = ask(world, "POST", &provider(world), TOKEN).await;
    assert_eq!(status, 200, "{answer}");
    let result = &answer["result"];
    let until: jiff::Timestamp = result["expires_at"].as_str().unwrap().parse().unwrap();
    let left = until.as_second() - world.clock.now_seconds();
    assert!((595..=600).contains(&left), "{left}");
    result["url"].as_str().unwrap().parse().unwrap()
}

/// Opens a link and says how the test begins: the address behind the button.
async fn ready(person: &mut Person, link: &Url) -> Url {
    let page = person.get(link).await;
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    let (_, rest) = text
        .split_once("class=\"button primary\" href=\"")
        .expect("a button");
    let href = rest.split('"').next().unwrap();
    href.replace("&#38;", "&").parse().unwrap()
}

/// Goes through a whole test.
async fn tested(world: &World, person: &mut Person) -> Checklist {
    let link = link(world).await;
    let go = ready(person, &link).await;
    Checklist(person.follow(go).await)
}

/// The page at the end.
struct Checklist(Arrival);

/// One line of it.
#[derive(Debug)]
struct Line {
    /// `ok`, `warn`, `danger`, `off`.
    tone: String,
    text: String,
}

impl Checklist {
    /// The line with this name.
    #[track_caller]
    fn line(&self, name: &str) -> Line {
        let lines = lines(&self.0.reply);
        let found = lines.into_iter().find(|line| line.text.starts_with(name));
        found.unwrap_or_else(|| panic!("no line {name:?} in {}", self.0.text()))
    }

    /// That a line came out so, and says all of this.
    #[track_caller]
    fn says(&self, name: &str, tone: &str, texts: &[&str]) {
        let line = self.line(name);
        assert_eq!(line.tone, tone, "{name}: {line:?}");
        for text in texts {
            assert!(line.text.contains(text), "{name}: no {text:?} in {line:?}");
        }
    }
}

/// The lines of a checklist, without markup.
fn lines(reply: &Reply) -> Vec<Line> {
    let page = reply.text();
    assert_eq!(reply.status, 200, "{page}");
    assert!(page.contains("<ul class=\"checks\">"), "no checklist: {page}");
    let lines = page.split("<li class=\"").skip(1).filter_map(|part| {
        let (tone, rest) = part.split_once("\">\n<span class=\"sign\"")?;
        let (_, rest) = rest.split_once("</span>")?;
        let rest = rest.split("</ul>").next()?;
        Some(Line {
            tone: tone.to_owned(),
            text: without_markup(rest),
        })
    });
    lines.collect()
}

fn without_markup(html: &str) -> String {
    let texts = html
        .split('<')
        .filter_map(|part| part.split_once('>').map(|(_, text)| text));
    let text = texts.collect::<Vec<_>>().join("");
    let text = text
        .replace("&#39;", "'")
        .replace("&#34;", "\"")
        .replace("&#38;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How many rows a table has.
async fn rows(database: &Database, table: &str) -> i64 {
    let sql = match table {
        "users" => "SELECT COUNT(*) FROM users",
        "sessions" => "SELECT COUNT(*) FROM sessions",
        "access_requests" => "SELECT COUNT(*) FROM access_requests",
        other => panic!("{other} is not counted"),
    };
    let pool = database.pool().await;
    let number: i64 = sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap();
    pool.close().await;
    number
}

/// What the API found, by the name of the step.
fn check<'a>(answer: &'a Value, step: &str, about: Option<&str>) -> &'a Value {
    let checks = answer["result"]["checks"].as_array().unwrap();
    let found = checks
        .iter()
        .find(|check| check["step"] == step && check["about"] == json!(about));
    found.unwrap_or_else(|| panic!("no {step} {about:?} in {answer}"))
}
