//! No order of what people and administrators do at once, at two gateways on one database, lets an ended session pass.
//!
//! People sign in and out, administrators end sessions and tokens and change the policy, all at once and in an order
//! that a seed decides. Everything that a browser ever held is copied, and thieves show the copies all the while.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use vestibule::model::ids::{AudTag, SessionNonce};
use vestibule::session::table::Cause;
use vestibule::store::{Ending, Store, TokensOf};

use crate::support::database::on_postgres;
use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE};
use crate::support::wire::Dial;
use crate::support::world::World;

/// The promise is one second; the machine that tests may be busy.
const PROMISE: Duration = Duration::from_secs(3);
/// How long everybody does what they like.
const TURMOIL: Duration = Duration::from_secs(8);

/// A small generator (splitmix64): the order shall be another with every seed and the same with the same.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// What decides the order: another one each time, printed, and told by `ORDERS_SEED` to see the same again.
fn seed() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "tests have no configuration file")]
    let told = std::env::var("ORDERS_SEED").ok();
    let seed = told.map(|text| text.parse().expect("ORDERS_SEED is a number"));
    let seed = seed.unwrap_or_else(|| {
        let bytes = *uuid::Uuid::new_v4().as_bytes();
        u64::from(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    });
    println!("ORDERS_SEED={seed}");
    seed
}

/// A copy of what a browser held, and since when it is worth nothing.
struct Copy {
    browser: Person,
    session: SessionNonce,
    token: String,
    worthless: Option<Instant>,
}

#[derive(Clone)]
struct Scene {
    dials: [Dial; 2],
    wiki: String,
    store: Store,
    copies: Arc<Mutex<Vec<Copy>>>,
    over: Arc<AtomicBool>,
    let_in: Arc<AtomicUsize>,
    faults: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::SeqCst)
    }

    /// Somebody copies what the browser holds.
    fn copy(&self, browser: &Person) {
        let Some(token) = browser.cookie(&self.wiki, "CF_Authorization") else {
            return;
        };
        let mut copies = self.copies.lock().unwrap();
        if copies.iter().any(|copy| copy.token == token) {
            return;
        }
        let mut browser = browser.clone();
        browser.upn = None;
        copies.push(Copy {
            browser,
            session: session_of(&token),
            token,
            worthless: None,
        });
    }

    /// From now on these are worth nothing.
    fn worthless(&self, which: impl Fn(&Copy) -> bool) {
        let now = Instant::now();
        for copy in self.copies.lock().unwrap().iter_mut().filter(|copy| which(copy)) {
            copy.worthless.get_or_insert(now);
        }
    }

    /// Asks the store which of the copied sessions have ended.
    async fn look_at_the_store(&self) {
        let open: Vec<SessionNonce> = {
            let copies = self.copies.lock().unwrap();
            let open = copies.iter().filter(|copy| copy.worthless.is_none());
            open.map(|copy| copy.session.clone()).collect()
        };
        for nonce in open {
            let row = self.store.session(&nonce).await.unwrap().unwrap();
            if row.ended_ms.is_some() {
                self.worthless(|copy| copy.session == nonce);
            }
        }
    }

    /// Shows a copy at a gateway, and says so where it passes although it should not.
    async fn show(&self, number: usize, gateway: usize) {
        let (mut browser, worthless) = {
            let copies = self.copies.lock().unwrap();
            (copies[number].browser.clone(), copies[number].worthless)
        };
        browser.via = self.dials[gateway].clone();
        for path in ["/x", "/cdn-cgi/access/get-identity"] {
            let began = Instant::now();
            if status(&mut browser, &self.wiki, path).await != Some(200) {
                continue;
            }
            if path == "/x" {
                self.let_in.fetch_add(1, Ordering::SeqCst);
            }
            if let Some(late) = worthless
                .map(|since| began.duration_since(since))
                .filter(|late| *late > PROMISE)
            {
                let fault =
                    format!("copy {number} passed at {path} of gateway {gateway}, {late:?} after its end");
                self.faults.lock().unwrap().push(fault);
            }
        }
    }

    async fn live_as(self, upn: &'static str, mut browser: Person, mut dice: Dice) {
        browser.upn = Some(upn.to_owned());
        while self.goes_on() {
            browser.via = self.dials[dice.throw(2)].clone();
            let wiki = &self.wiki;
            match dice.throw(8) {
                0 => {
                    let status = status(&mut browser, wiki, "/cdn-cgi/access/logout").await;
                    assert!(status.is_none_or(|status| status < 500), "{status:?}");
                }
                1 => {
                    let status = status(&mut browser, wiki, "/cdn-cgi/access/logout?scope=application").await;
                    assert!(status.is_none_or(|status| status < 500), "{status:?}");
                }
                2 | 3 => drop(status(&mut browser, wiki, "/x").await),
                _ => sign_in(&mut browser, wiki).await,
            }
            self.copy(&browser);
            tokio::time::sleep(Duration::from_millis(dice.throw(40) as u64)).await;
        }
    }

    async fn steal(self, mut dice: Dice) {
        while self.goes_on() {
            let copied = self.copies.lock().unwrap().len();
            if copied > 0 {
                self.show(dice.throw(copied), dice.throw(2)).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn watch(self) {
        while self.goes_on() {
            self.look_at_the_store().await;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

/// What a request is answered with; `None` where it is cut, because its session ended while it waited.
async fn status(browser: &mut Person, host: &str, path: &str) -> Option<u16> {
    let url = browser.address(host, path);
    let reply = browser.attempt("GET", &url, &[], b"").await?;
    Some(reply.status)
}

/// Goes as far as it gets: a policy that lets nobody in, or an ending on the way, ends it with a page.
async fn sign_in(browser: &mut Person, wiki: &str) {
    let mut url = browser.address(wiki, "/x");
    for _ in 0..15 {
        let Some(reply) = browser.attempt("GET", &url, &[], b"").await else {
            return;
        };
        let Some(next) = reply.header("location") else {
            return;
        };
        url = url.join(next).unwrap();
    }
}

fn session_of(token: &str) -> SessionNonce {
    let claims = jsonwebtoken::dangerous::insecure_decode::<serde_json::Value>(token.as_bytes()).unwrap();
    claims.claims["identity_nonce"].as_str().unwrap().parse().unwrap()
}

async fn end_something(world: &mut World, scene: &Scene, dice: &mut Dice, aud: &AudTag, open: &mut bool) {
    let gateway = dice.throw(2);
    let running = world.running_of(gateway);
    let revoker = running.revoker.clone();
    let known: Vec<SessionNonce> = running.sessions.nonces().into_iter().collect();
    let picked = (!known.is_empty()).then(|| known[dice.throw(known.len())].clone());
    match (dice.throw(8), picked) {
        (0 | 1, Some(nonce)) => {
            revoker
                .revoke(Ending::Session(nonce.clone()), Cause::Administrator)
                .await
                .unwrap();
            scene.worthless(|copy| copy.session == nonce);
            // Where it was ended, it is over with the answer.
            let numbers: Vec<usize> = {
                let copies = scene.copies.lock().unwrap();
                (0..copies.len())
                    .filter(|&number| copies[number].session == nonce)
                    .collect()
            };
            for number in numbers {
                let mut browser = scene.copies.lock().unwrap()[number].browser.clone();
                browser.via = scene.dials[gateway].clone();
                let status = status(&mut browser, &scene.wiki, "/x").await;
                assert_ne!(status, Some(200), "at the gateway that ended it");
            }
        }
        (2, Some(nonce)) => {
            let Some(session) = running.sessions.find(&nonce) else {
                return;
            };
            let user = session.user();
            revoker.revoke_user(user, Cause::Administrator).await.unwrap();
        }
        (3, _) => {
            revoker
                .revoke(Ending::Everybody, Cause::Administrator)
                .await
                .unwrap();
        }
        (4 | 5, _) => {
            let before: Vec<String> = {
                let copies = scene.copies.lock().unwrap();
                copies.iter().map(|copy| copy.token.clone()).collect()
            };
            let of = TokensOf {
                aud: aud.clone(),
                session: None,
            };
            revoker.revoke_application_tokens(&of).await.unwrap();
            scene.worthless(|copy| before.contains(&copy.token));
        }
        _ => {
            *open = !*open;
            let policies = if *open { "[\"staff\"]" } else { "[]" };
            world.declare(|world| world.wiki_policies(policies)).await;
        }
    }
}

on_postgres! {
    async fn no_order_lets_an_ended_session_pass(database) {
        let seed = seed();
        let mut world = World::builder().gateways(2).on(&database).wiki("session_duration = \"1h\"").start().await;
        let aud = {
            let snapshot = world.running().published.load();
            let mut applications = snapshot.applications.values();
            applications.find(|known| known.app.name == "Wiki").unwrap().app.aud.clone()
        };
        let scene = Scene {
            dials: [world.dial_of(0), world.dial_of(1)],
            wiki: world.host("wiki"),
            store: world.store().await,
            copies: Arc::default(),
            over: Arc::default(),
            let_in: Arc::default(),
            faults: Arc::default(),
        };
        let mut actors = tokio::task::JoinSet::new();
        for (number, upn) in [ALICE, ALICE, ADAM].into_iter().enumerate() {
            let browser = world.person(upn);
            actors.spawn(scene.clone().live_as(upn, browser, Dice(seed + number as u64)));
        }
        for number in 10..12 {
            actors.spawn(scene.clone().steal(Dice(seed + number)));
        }
        actors.spawn(scene.clone().watch());

        let (mut dice, mut open, began) = (Dice(seed + 100), true, Instant::now());
        while began.elapsed() < TURMOIL {
            end_something(&mut world, &scene, &mut dice, &aud, &mut open).await;
            tokio::time::sleep(Duration::from_millis(100 + dice.throw(300) as u64)).await;
        }
        scene.over.store(true, Ordering::SeqCst);
        while let Some(ended) = actors.join_next().await {
            ended.unwrap();
        }

        // When all has come to rest, what has ended is out at both gateways, and what has not is in.
        world.declare(|world| world.wiki_policies("[\"staff\"]")).await;
        scene.look_at_the_store().await;
        tokio::time::sleep(PROMISE + Duration::from_millis(500)).await;
        let copied = scene.copies.lock().unwrap().len();
        let worthless = scene.copies.lock().unwrap().iter().filter(|copy| copy.worthless.is_some()).count();
        let before = scene.let_in.load(Ordering::SeqCst);
        for number in 0..copied {
            for gateway in 0..2 {
                scene.show(number, gateway).await;
            }
        }
        println!("seed {seed}: {copied} copies, {worthless} of them worthless, {before} times let in");
        assert_eq!(*scene.faults.lock().unwrap(), Vec::<String>::new(), "ORDERS_SEED={seed}");
        assert!(copied > 10 && worthless > 5 && before > 5, "too little happened");
    }
}
