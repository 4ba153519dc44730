//! The demo in a real browser: what a person sees from the first click to the last.

#[path = "../../../examples/demo/apps.rs"]
mod apps;
#[path = "../../../examples/demo/world.rs"]
mod world;

use std::time::{Duration, Instant};

use serde_json::json;

use self::world::{Settings, World};
use crate::support::webdriver::Browser;

const ALICE: &str = "button[value=\"alice@contoso.example\"]";
const BOB: &str = "button[value=\"bob@contoso.example\"]";

/// The demo on a free port, with a store that outlives its gateway.
struct Demo {
    world: World,
    settings: Settings,
    _store: tempfile::TempDir,
}

impl Demo {
    async fn start() -> Self {
        let store = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", store.path().join("demo.db").display());
        let (world, settings) = World::start(0, &url).await.unwrap();
        Self {
            world,
            settings,
            _store: store,
        }
    }

    fn wiki(&self, path: &str) -> String {
        self.world.address("wiki", path)
    }

    fn live(&self, path: &str) -> String {
        self.world.address("live", path)
    }

    /// Signs in at the page of the mock tenant, once it is there.
    async fn sign_in(&self, browser: &Browser, person: &str) {
        browser.arrives_at(&self.world.entra.base_url()).await;
        browser.click(person).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_once_and_sees_both_applications() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.open(&demo.wiki("/")).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.wiki("/")).await;
    for seen in [
        "Alice Example",
        "alice@contoso.example",
        "Engineering",
        "cf-access-jwt-assertion",
    ] {
        browser.sees(seen).await;
    }
    // The second application shows no page of Entra.
    browser.open(&demo.live("/")).await;
    assert_eq!(browser.url().await, demo.live("/"));
    browser.sees("Two streams stay open").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deep_link_keeps_its_query_and_its_fragment() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    let deep = demo.wiki("/handbook/travel?year=2026&q=a%2Fb#section/3?x=1&y;z");
    browser.open(&deep).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.wiki("/handbook")).await;
    browser.sees("/handbook/travel?year=2026&q=a%2Fb").await;
    assert_eq!(browser.url().await, deep);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_script_a_login_works_too() {
    let Some(browser) = Browser::without_script().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.open(&demo.wiki("/handbook?year=2026")).await;
    demo.sign_in(&browser, BOB).await;
    browser.arrives_at(&demo.wiki("/handbook?year=2026")).await;
    browser.sees("Bob Sample").await;
    browser.open(&demo.live("/")).await;
    browser.sees("Ask them for an invitation").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_who_is_refused_learns_why_and_may_come_as_somebody_else() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.open(&demo.live("/")).await;
    demo.sign_in(&browser, BOB).await;
    browser.sees("Live is for the engineering team").await;
    browser.sees("bob@contoso.example").await;
    browser.click("main a[href*=\"prompt=select_account\"]").await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.live("/")).await;
    browser.sees("Two streams stay open").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_tabs_sign_in_at_once() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    let first = browser.tab().await;
    browser.open(&demo.wiki("/first?tab=1")).await;
    browser.arrives_at(&demo.world.entra.base_url()).await;
    let second = browser.new_tab().await;
    browser.open(&demo.wiki("/second?tab=2")).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.wiki("/second?tab=2")).await;
    browser.sees("Alice Example").await;
    browser.go_to_tab(&first).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.wiki("/first?tab=1")).await;
    browser.sees("Alice Example").await;
    browser.go_to_tab(&second).await;
    browser.open(&demo.wiki("/again")).await;
    browser.sees("Alice Example").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_while_somebody_is_at_entra_loses_nothing() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let mut demo = Demo::start().await;
    browser.open(&demo.wiki("/handbook#end")).await;
    browser.arrives_at(&demo.world.entra.base_url()).await;
    let World { gateway, entra, port } = demo.world;
    gateway.stop(Duration::from_millis(500)).await;
    demo.world = World {
        gateway: demo.settings.start().await.unwrap(),
        entra,
        port,
    };
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.wiki("/handbook#end")).await;
    browser.sees("Alice Example").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_out_ends_both_applications_and_what_is_open() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.open(&demo.live("/")).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.live("/")).await;
    browser.click("#say button").await;
    browser.sees("It came back: hello").await;
    let live = browser.tab().await;

    browser.new_tab().await;
    browser.open(&demo.wiki("/")).await;
    browser.sees("Alice Example").await;
    browser.open(&demo.wiki("/cdn-cgi/access/logout")).await;
    browser.sees("igned out").await;
    let signed_out = browser.tab().await;
    let began = Instant::now();
    browser.go_to_tab(&live).await;
    for stream in ["socket", "events"] {
        while browser
            .run(&format!("return document.getElementById('{stream}').textContent"))
            .await
            != json!("closed")
        {
            assert!(began.elapsed() < Duration::from_secs(3), "{stream} is still open");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    println!("both streams were closed {:?} after signing out", began.elapsed());
    // At Entra the person is still signed in, and would come in again without a page: the page offers to end that too.
    browser.go_to_tab(&signed_out).await;
    browser.click("a[href*=\"/oauth2/v2.0/logout\"]").await;
    browser
        .arrives_at(&demo.world.address("login", "/cdn-cgi/access/logged-out"))
        .await;
    for address in [demo.live("/"), demo.wiki("/")] {
        browser.open(&address).await;
        browser.arrives_at(&demo.world.entra.base_url()).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_launcher_applications_open_and_other_browsers_are_signed_out() {
    let Some(here) = Browser::start().await else {
        return;
    };
    let Some(there) = Browser::without_script().await else {
        return;
    };
    let demo = Demo::start().await;
    let launcher = demo.world.address("login", "/");
    for browser in [&here, &there] {
        browser.open(&launcher).await;
        demo.sign_in(browser, ALICE).await;
        browser.arrives_at(&launcher).await;
        browser.sees("Your applications").await;
    }
    // Works without script: the application opens.
    there.click(&format!("a.tile[href=\"{}\"]", demo.wiki("/"))).await;
    there.arrives_at(&demo.wiki("/")).await;
    there.sees("Alice Example").await;

    here.open(&launcher).await;
    here.sees("This browser").await;
    here.click("button.small").await;
    // The page comes again, without the other browser.
    here.sees_no_more("Sign out there").await;
    here.sees("Where you are signed in").await;

    // Out everywhere. What an ended session may no longer do is shown without a browser (`login::launcher`): Microsoft's
    // own session, which signs people in again without asking, is not ours to end.
    here.open(&launcher).await;
    here.click("button.danger").await;
    here.sees("You are signed out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_leaves_a_group_loses_at_once_what_it_opens_and_nothing_else() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    browser.open(&demo.live("/")).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&demo.live("/")).await;
    browser.click("#say button").await;
    browser.sees("It came back: hello").await;
    let live = browser.tab().await;

    browser.new_tab().await;
    browser
        .open(&format!("{}/provisioning", demo.world.entra.base_url()))
        .await;
    let button = format!(
        "form:has([value=\"leave\"]):has([value=\"{}\"]):has([value=\"{}\"]) button",
        mock_entra::demo::ALICE_OID,
        mock_entra::demo::ENGINEERING
    );
    browser.click(&button).await;
    browser.sees("The cycle that followed").await;
    browser.go_to_tab(&live).await;
    let began = Instant::now();
    while browser
        .run("return document.getElementById('socket').textContent")
        .await
        != json!("closed")
    {
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "the stream is still open"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    browser.open(&demo.live("/")).await;
    browser.sees("Live is for the engineering team").await;
    browser.open(&demo.wiki("/")).await;
    browser.sees("Alice Example").await;
}

/// Where the reference of the API stands.
const REFERENCE: &str = "/cdn-cgi/access/api";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_of_the_api_unfolds_without_script() {
    let Some(browser) = Browser::without_script().await else {
        return;
    };
    let demo = Demo::start().await;
    let page = demo.world.address("login", REFERENCE);
    browser.open(&page).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&page).await;
    browser.sees("List applications").await;
    assert!(!browser.text().await.contains("With curl"));
    browser.click("details:has(#create_app) summary").await;
    browser.sees("With curl").await;
    browser.sees("Needs the permission").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_of_the_api_fits_its_window_and_a_link_into_it_unfolds_its_part() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start().await;
    let page = demo.world.address("login", REFERENCE);
    browser.open(&page).await;
    demo.sign_in(&browser, ALICE).await;
    browser.arrives_at(&page).await;
    // The address of one part, as somebody would send it to a colleague.
    browser.open("about:blank").await;
    browser.open(&format!("{page}#shape-Policy")).await;
    browser.sees("purpose_justification_prompt").await;
    browser
        .run("for (const part of document.querySelectorAll('details')) part.open = true")
        .await;
    // 500 pixels are the least that a window of Chromium's has.
    for width in [1200, 900, 700, 500] {
        browser.resize(width, 900).await;
        let root = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(browser.run(root).await, json!(0), "{width}: it scrolls sideways");
    }
}
