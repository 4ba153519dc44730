//! SCIM at scale, over HTTP: 200,000 people, 20,000 groups, one of them with 100,000 members of whom 10,000 are signed
//! in, in SQLite on the disk.
//!
//! Prints the median and the slowest hundredth of each kind of request, asked one after the other over one connection;
//! what becomes of 25 requests a second while the gateway serves; how soon after SCIM's answer a request is refused; how
//! long writes of whole groups take; what it takes to rename and to delete a group whose 100,000 members are all signed in,
//! by each way of following that, and what others wait for meanwhile; and how much memory the process has before and after.
//! Everything runs in this process, clients included.

#[path = "../support/figures.rs"]
mod figures;
#[path = "../support/upstream.rs"]
mod upstream;
#[path = "../../examples/bench_gateway/world.rs"]
mod world;

mod client;
mod fill;
mod signed_in;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use client::Client;
use figures::{memory_kb, say};
use fill::{GROUPS, MEMBERS, PEOPLE, SIGNED_IN, group_id, group_object_id, object_id, user_id};
use mock_entra::demo;
use signed_in::Place;
use tokio::runtime::Runtime;
use vestibule::model::ids::IdpId;
use world::{Kept, World, sign_in};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SECRET: &str = "a-secret-of-the-benchmark-which-guards-nothing";
const TOKEN: &str = "a-token-for-the-benchmark-which-opens-nothing";
/// Requests of each kind.
const ROUNDS: u32 = 300;
/// What Entra may send, and for how long.
const RATE: u32 = 25;
const SUSTAINED: Duration = Duration::from_secs(20);
/// Those who use the application meanwhile, and how long each thinks between two requests.
const VISITORS: usize = 4;
const THOUGHT: Duration = Duration::from_millis(4);
/// How often somebody is put out.
const PUT_OUT: usize = 20;

fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let store = format!("sqlite://{}", directory.path().join("vestibule.db").display());
    let listen = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let upstream = upstream::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let start = |follows: &str| {
        let settings = format!(
            "scim_config = {{ enabled = true, user_deprovision = true, {follows} }}\n\
             scim_secret = \"{SECRET}\"\n\
             [[api_tokens]]\nname = \"benchmark\"\ntoken = \"{TOKEN}\"\npermissions = [\"*\"]"
        );
        let kept = Kept {
            store: &store,
            provider: &settings,
        };
        runtime.block_on(World::start(listen, upstream, kept))
    };
    let world = start("identity_update_behavior = \"automatic\"")?;
    let snapshot = world.gateway.published.load();
    let provider: IdpId = *snapshot.providers.keys().next().context("a provider")?;
    runtime.block_on(fill::fill(&store, provider))?;
    let scim = || {
        let base = format!("/populations/{provider}/scim/v2");
        Client::connect(
            listen,
            "localhost",
            base,
            format!("Authorization: Bearer {SECRET}"),
        )
    };
    let mut client = scim()?;
    let before = memory_kb()?;
    one_by_one(&mut client)?;
    sustained(&mut client, listen, &world.cookie)?;
    everybody(&mut client, listen, &world.cookie, [scim()?, scim()?])?;
    put_out(&mut client, listen, &runtime)?;
    say_memory(before, "after these")?;
    whole_groups(&mut client)?;
    say_memory(before, "after these")?;

    runtime.block_on(fill::sign_in_all(&store, provider))?;
    let place = Place {
        listen,
        runtime: &runtime,
        provider,
    };
    let everybody = place.install(&world)?;
    say_memory(before, &format!("with {MEMBERS} sessions"))?;
    place.read(&world, &mut client)?;
    let rename = r#"{"Operations":[{"op":"Replace","path":"displayName","value":"Everybody"}]}"#;
    let large = format!("/Groups/{}", group_id(1));
    place.meanwhile(
        scim()?,
        || client.must("PATCH", &large, rename),
        "the group is renamed",
    )?;
    place.meanwhile(
        scim()?,
        || client.must("DELETE", &large, ""),
        "the group is deleted",
    )?;
    drop(everybody);
    say_memory(before, "after these")?;
    runtime.block_on(world.gateway.stop(Duration::from_secs(1)));
    runtime.block_on(fill::forget_rereads(&store))?;

    let world = start("group_member_deprovision = true")?;
    let everybody = place.install(&world)?;
    let (mut client, other) = (scim()?, format!("/Groups/{}", group_id(3)));
    let answered = place.meanwhile(
        scim()?,
        || client.must("DELETE", &other, "").map(|_| Instant::now()),
        "such a group is deleted, and its members are to sign in again",
    )?;
    Place::until_all_are_out(&everybody, answered)?;
    say_memory(before, "at the end")?;
    runtime.block_on(world.gateway.stop(Duration::from_secs(1)));
    Ok(())
}

/// Its name, and the request of a round: method, path, body.
type Case = (&'static str, fn(u32) -> (&'static str, String, String));

/// Spreads rounds over everybody.
fn someone(round: u32) -> u32 {
    round.wrapping_mul(2_654_435_761) % PEOPLE + 1
}

fn get(path: String) -> (&'static str, String, String) {
    ("GET", path, String::new())
}

const CASES: [Case; 9] = [
    ("look up by userName", |round| {
        let number = someone(round);
        get(format!(
            "/Users?filter=userName+eq+%22USER{number}%40corp.example%22"
        ))
    }),
    ("look up by externalId", |round| {
        get(format!(
            "/Users?filter=externalId+eq+%22{}%22",
            object_id(someone(round))
        ))
    }),
    ("look up by work address", |round| {
        let filter = "emails%5Btype+eq+%22work%22%5D.value+eq+";
        get(format!(
            "/Users?filter={filter}%22user{}%40corp.example%22",
            someone(round)
        ))
    }),
    ("look up a group by displayName", |round| {
        let number = someone(round) % GROUPS + 1;
        get(format!(
            "/Groups?excludedAttributes=members&filter=displayName+eq+%22Group+{number}%22"
        ))
    }),
    ("look up a group by externalId", |round| {
        let object = group_object_id(someone(round) % GROUPS + 1);
        get(format!(
            "/Groups?excludedAttributes=members&filter=externalId+eq+%22{object}%22"
        ))
    }),
    ("is somebody in the large group", |round| {
        let (group, user) = (group_id(1), user_id(someone(round)));
        get(format!(
            "/Groups?attributes=id&filter=id+eq+%22{group}%22+and+members+eq+%22{user}%22"
        ))
    }),
    ("read a person", |round| {
        get(format!("/Users/{}", user_id(someone(round))))
    }),
    ("one member of 100,000 comes or goes", |round| {
        let op = if round % 2 == 0 { "Add" } else { "Remove" };
        let member = user_id(MEMBERS + 1 + round / 2 % (PEOPLE - MEMBERS));
        (
            "PATCH",
            format!("/Groups/{}", group_id(1)),
            members(op, &[member]),
        )
    }),
    ("a person is renamed", |round| {
        let body =
            format!(r#"{{"Operations":[{{"op":"Replace","path":"displayName","value":"Name {round}"}}]}}"#);
        ("PATCH", format!("/Users/{}", user_id(someone(round))), body)
    }),
];

fn members(op: &str, people: &[String]) -> String {
    let people: Vec<String> = people.iter().map(|id| format!(r#"{{"value":"{id}"}}"#)).collect();
    format!(
        r#"{{"Operations":[{{"op":"{op}","path":"members","value":[{}]}}]}}"#,
        people.join(",")
    )
}

fn one_by_one(client: &mut Client) -> anyhow::Result<()> {
    for (name, request) in CASES {
        let mut took = Vec::new();
        for round in 0..ROUNDS {
            let (method, path, body) = request(round);
            took.push(client.must(method, &path, &body)?.took);
        }
        report(name, took);
    }
    Ok(())
}

/// Entra's rate, while people use the application, and the application alone for comparison.
fn sustained(client: &mut Client, listen: SocketAddr, cookie: &str) -> anyhow::Result<()> {
    let (alone, ()) = visited(listen, cookie, || {
        std::thread::sleep(Duration::from_secs(5));
        Ok(())
    })?;
    report("proxied requests, without SCIM", alone);
    let (proxied, took) = visited(listen, cookie, || {
        let (began, mut took) = (Instant::now(), Vec::new());
        for round in 0_u32.. {
            let due = Duration::from_secs(1) * round / RATE;
            if due >= SUSTAINED {
                break;
            }
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let (_, request) = CASES.get(round as usize % CASES.len()).context("a case")?;
            let (method, path, body) = request(round);
            took.push(client.must(method, &path, &body)?.took);
        }
        Ok(took)
    })?;
    report("25 requests a second, all of these", took);
    report("proxied requests meanwhile", proxied);
    Ok(())
}

/// Does something while visitors come; how long they waited.
fn visited<T>(
    listen: SocketAddr,
    cookie: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(Vec<Duration>, T)> {
    let stop = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..VISITORS)
        .map(|_| {
            let (stop, cookie) = (Arc::clone(&stop), cookie.to_owned());
            std::thread::spawn(move || visit(listen, &cookie, &stop))
        })
        .collect();
    let done = work();
    stop.store(true, Ordering::Relaxed);
    let mut took = Vec::new();
    for visitor in visitors {
        took.extend(
            visitor
                .join()
                .map_err(|_| anyhow::anyhow!("a visitor failed"))??,
        );
    }
    Ok((took, done?))
}

fn visit(listen: SocketAddr, cookie: &str, stop: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let mut client = visitor(listen, cookie)?;
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        took.push(client.must("GET", "/small", "")?.took);
        std::thread::sleep(THOUGHT);
    }
    Ok(took)
}

fn visitor(listen: SocketAddr, cookie: &str) -> anyhow::Result<Client> {
    let host = listen.ip().to_string();
    Client::connect(listen, &host, String::new(), format!("Cookie: {cookie}"))
}

/// Somebody is deactivated again and again: from SCIM's answer to the first request that is refused.
fn put_out(client: &mut Client, listen: SocketAddr, runtime: &Runtime) -> anyhow::Result<()> {
    let alice = format!(
        r#"{{"userName":"alice@corp.example","active":true,"externalId":"{}"}}"#,
        demo::ALICE_OID
    );
    let created: serde_json::Value = serde_json::from_str(&client.must("POST", "/Users", &alice)?.body)?;
    let path = format!(
        "/Users/{}",
        created
            .get("id")
            .and_then(serde_json::Value::as_str)
            .context("an id")?
    );
    let active =
        |active: bool| format!(r#"{{"Operations":[{{"op":"Replace","path":"active","value":"{active}"}}]}}"#);
    let (mut answered, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..PUT_OUT {
        let cookie = runtime.block_on(sign_in(listen))?;
        let mut visitor = visitor(listen, &cookie)?;
        visitor.must("GET", "/small", "")?;
        answered.push(client.must("PATCH", &path, &active(false))?.took);
        let began = Instant::now();
        while visitor.ask("GET", "/small", "")?.status == 200 {
            ensure!(
                began.elapsed() < Duration::from_secs(5),
                "whoever was put out is still in"
            );
        }
        refused.push(began.elapsed());
        client.must("PATCH", &path, &active(true))?;
    }
    report("somebody signed in is deactivated", answered);
    report("… from the answer to a refused request", refused);
    Ok(())
}

/// Filters that no index answers, two at once; and what others wait for meanwhile.
fn everybody(
    client: &mut Client,
    listen: SocketAddr,
    cookie: &str,
    asking: [Client; 2],
) -> anyhow::Result<()> {
    let (proxied, (scans, took)) = visited(listen, cookie, || {
        let asking = asking.map(|mut client| {
            let path = "/Users?filter=name.familyName+co+%22nobody%22+or+title+pr";
            std::thread::spawn(move || client.must("GET", path, "").map(|answer| answer.took))
        });
        let (mut scans, mut took, mut round) = (Vec::new(), Vec::new(), 0);
        while !asking.iter().all(std::thread::JoinHandle::is_finished) {
            let [(_, request), ..] = CASES;
            let (method, path, body) = request(round);
            took.push(client.must(method, &path, &body)?.took);
            round += 1;
            std::thread::sleep(THOUGHT);
        }
        for asked in asking {
            scans.push(asked.join().map_err(|_| anyhow::anyhow!("a client failed"))??);
        }
        Ok((scans, took))
    })?;
    report("a filter looks at 200,000, two at once", scans);
    report("… look up by userName meanwhile", took);
    report("… proxied requests meanwhile", proxied);
    Ok(())
}

/// Writes of many members at once, most of all of those who are signed in.
fn whole_groups(client: &mut Client) -> anyhow::Result<()> {
    let signed_in: Vec<String> = (1..=SIGNED_IN).map(user_id).collect();
    let team = format!("/Groups/{}", group_id(2));
    let none = format!(
        r#"{{"displayName":"Group 2","externalId":"{}","members":[]}}"#,
        group_object_id(2)
    );
    let steps = [
        (
            "10,000 people signed in are added",
            "PATCH",
            &team,
            members("Add", &signed_in),
        ),
        ("… and taken away", "PATCH", &team, members("Remove", &signed_in)),
        ("… and added", "PATCH", &team, members("Add", &signed_in)),
        ("… and replaced by nobody", "PUT", &team, none),
    ];
    for (name, method, path, body) in steps {
        let took = client.must(method, path, &body)?.took;
        say(&format!("{name:<42}        {took:>9.3?}"));
    }
    Ok(())
}

fn report(name: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |share: usize| took.get(took.len() * share / 100).copied().unwrap_or_default();
    say(&format!(
        "{name:<42} median {:>9.3?}   99th {:>9.3?}",
        at(50),
        at(99)
    ));
}

fn say_memory(before: u64, when: &str) -> anyhow::Result<()> {
    let now = memory_kb()?;
    say(&format!(
        "memory: {} MB before, {} MB {when}",
        before / 1024,
        now / 1024
    ));
    Ok(())
}
