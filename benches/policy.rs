//! What routing and deciding cost, in nanoseconds, as applications, rules and groups grow from 1 to 10,000.
//!
//! `cargo bench --bench policy`. Read along the rows: the last figure should be near the first. The first evaluation of
//! a person is linear in the groups the person holds, and is done once a session and snapshot.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::expect_used, reason = "a benchmark may stop")]

use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, Uri};
use jiff::Timestamp;
use uuid::Uuid;

use vestibule::model::group::AccessGroup;
use vestibule::model::identity::{Email, Group, Groups, Identity, PersonKey};
use vestibule::model::ids::{AppId, GroupId, IdpId, ObjectId, PolicyId, TenantId, UserId};
use vestibule::model::policy::{Decision, DirectoryGroup, Policy, Selector};
use vestibule::policy::{CompiledPolicies, Referents, RequestFacts};
use vestibule::router::{Entry, Table, Target, Via};

const SIZES: [u128; 4] = [1, 100, 1_000, 10_000];
const ENTRA: IdpId = IdpId(Uuid::from_u128(1));

fn main() {
    println!(
        "{:<46}{:>10}{:>10}{:>10}{:>10}",
        "ns each, at a size of", 1, 100, 1000, 10000
    );
    row("target: parse a plain one (size: no part)", |_| {
        target("wiki.example.com", "/a/b?c=d")
    });
    row("target: parse one with escapes (no part)", |_| {
        target("wiki.example.com", "/a%20b/../c/%C3%BC")
    });
    row("route: exact host, by applications", exact_host);
    row("route: wildcard host, by applications", wildcard_host);
    row("route: a path of one host, by paths", one_host);
    row("first decision, group, by rules", |size| first_decision(size, 10));
    row("first decision, group, by groups held", |size| {
        first_decision(1_000, size)
    });
    row("first decision, by rules and groups held", |size| {
        first_decision(size, size)
    });
    row("first decision, by policies, groups held", first_of_many_policies);
    row("first decision, by nested access groups", first_through_groups);
    row("decision of a known person, by rules", |size| {
        known_person(&group_rules(size), &Arc::default())
    });
    row("decision of a known person, by policies", |size| {
        known_person(&deny_policies(size), &Arc::default())
    });
    row("decision of a known person, by groups nested", |size| {
        known_person(&through_groups(size), &nested(size))
    });
    row("snapshot: access groups compiled, each", compiled_groups);
    row("decision by address, by ranges", by_address);
}

/// One measured operation.
type Operation = Box<dyn FnMut()>;

fn row(name: &str, make: impl Fn(u128) -> Operation) {
    let figures = SIZES.map(|size| nanoseconds(make(size)));
    let [one, hundred, thousand, ten_thousand] = figures;
    println!("{name:<46}{one:>10.1}{hundred:>10.1}{thousand:>10.1}{ten_thousand:>10.1}");
}

/// The best of several rounds: what disturbs a measurement only ever makes it longer.
fn nanoseconds(mut operation: Operation) -> f64 {
    let rounds = (0..7).map(|_| {
        let (begun, mut done) = (Instant::now(), 0_u32);
        while begun.elapsed() < Duration::from_millis(20) {
            for _ in 0..64 {
                operation();
            }
            done += 64;
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(done)
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn target(host: &'static str, path: &'static str) -> Operation {
    let headers: HeaderMap = [(http::header::HOST, HeaderValue::from_static(host))]
        .into_iter()
        .collect();
    let uri = Uri::from_static(path);
    Box::new(move || {
        let parsed = Target::parse(&Method::GET, black_box(&uri), &headers, Via::Http1);
        black_box(parsed.expect("a target"));
    })
}

fn table(patterns: impl Iterator<Item = String>) -> Table<usize> {
    Table::build(patterns.enumerate().map(|(value, pattern)| Entry {
        destinations: vec![pattern.parse().expect("a destination")],
        case_insensitive: false,
        value,
    }))
}

fn look_up(table: Table<usize>, host: &str, path: &'static str) -> Operation {
    let host = host.parse().expect("a host");
    Box::new(move || {
        black_box(table.find(black_box(&host), black_box(path)));
    })
}

fn exact_host(size: u128) -> Operation {
    let table = table((0..size).map(|number| format!("app{number}.example.com")));
    look_up(table, &format!("app{}.example.com", size / 2), "/a/b")
}

fn wildcard_host(size: u128) -> Operation {
    let table = table((0..size).map(|number| format!("*.team{number}.example.com")));
    look_up(table, &format!("wiki.team{}.example.com", size / 2), "/a/b")
}

fn one_host(size: u128) -> Operation {
    let table = table((0..size).map(|number| format!("wiki.example.com/area{number}")));
    look_up(table, "wiki.example.com", "/area0/deep/below")
}

fn person(groups: u128) -> Identity {
    let held = (0..groups).map(|number| Group {
        id: ObjectId(Uuid::from_u128(number)),
        name: None,
    });
    Identity {
        user: UserId(Uuid::nil()),
        person: PersonKey {
            tenant: TenantId(Uuid::nil()),
            object: ObjectId(Uuid::nil()),
        },
        provider: ENTRA,
        email: Some(Email {
            address: "ada@example.com".parse().expect("an address"),
            trusted: true,
        }),
        name: None,
        given_name: None,
        family_name: None,
        guest: false,
        groups: Groups::Known {
            groups: held.collect(),
        },
        amr: Vec::new(),
        contexts: Vec::new(),
        claims: serde_json::Map::new(),
        provider_session: None,
        login_hint: None,
        address: IpAddr::from([198, 51, 100, 7]),
        country: None,
        at: Timestamp::UNIX_EPOCH,
        contexts_asked: false,
        claims_asked: Vec::new(),
        evaluations: Vec::new(),
        justifications: Vec::new(),
        approvals: Vec::new(),
    }
}

fn policy(decision: Decision, include: Vec<Selector>) -> Policy {
    Policy::new(PolicyId(Uuid::nil()), "staff", decision, include)
}

fn compile(policies: &[Policy], referents: &Arc<Referents>) -> CompiledPolicies {
    vestibule::policy::compile(AppId(Uuid::nil()), policies, referents)
        .expect("policies that refer to what is there")
}

fn group(number: u128) -> Selector {
    Selector::AzureAd {
        id: DirectoryGroup::Id(ObjectId(Uuid::from_u128(number))),
        identity_provider_id: ENTRA,
    }
}

/// One policy of many group rules, of which group 0 is the last.
fn group_rules(size: u128) -> Vec<Policy> {
    vec![policy(
        Decision::Allow,
        (0..size).rev().map(|number| group(number << 64)).collect(),
    )]
}

/// Many policies that do not apply, then one that does.
fn deny_policies(size: u128) -> Vec<Policy> {
    let mut policies: Vec<Policy> = (1..size)
        .map(|number| policy(Decision::Deny, vec![group(number << 64)]))
        .collect();
    policies.push(policy(Decision::Allow, vec![group(0)]));
    policies
}

fn first_decision(rules: u128, groups: u128) -> Operation {
    let (policies, mut person) = (compile(&group_rules(rules), &Arc::default()), person(groups));
    // The group that is asked for comes last.
    if let Groups::Known { groups } = &mut person.groups {
        groups.reverse();
    }
    Box::new(move || {
        black_box(policies.outcomes(black_box(&person)));
    })
}

/// One policy each for many groups, and a person who holds as many others and the last.
fn first_of_many_policies(size: u128) -> Operation {
    let (policies, person) = (compile(&deny_policies(size), &Arc::default()), person(size));
    Box::new(move || {
        black_box(policies.outcomes(black_box(&person)));
    })
}

/// Access groups each of which holds the one before twice, and the first of which is of a directory's group.
fn nested(size: u128) -> Arc<Referents> {
    let around = |number: u128| {
        let inside = |less: u128| Selector::Group {
            id: GroupId(Uuid::from_u128(number.saturating_sub(less))),
        };
        AccessGroup {
            id: GroupId(Uuid::from_u128(number)),
            name: String::new(),
            include: vec![if number == 0 { group(0) } else { inside(1) }],
            require: if number < 2 { Vec::new() } else { vec![inside(2)] },
            exclude: Vec::new(),
        }
    };
    let groups = (0..size).map(around).collect();
    Arc::new(Referents::new(groups, Vec::new()))
}

/// A policy of the outermost of some nested groups.
fn through_groups(size: u128) -> Vec<Policy> {
    let outermost = Selector::Group {
        id: GroupId(Uuid::from_u128(size - 1)),
    };
    vec![policy(Decision::Allow, vec![outermost])]
}

fn first_through_groups(size: u128) -> Operation {
    let (policies, person) = (compile(&through_groups(size), &nested(size)), person(10));
    Box::new(move || {
        black_box(policies.outcomes(black_box(&person)));
    })
}

/// The cost of one group among many.
fn compiled_groups(size: u128) -> Operation {
    let mut compiled = 0;
    Box::new(move || {
        if compiled % size == 0 {
            black_box(nested(size));
        }
        compiled += 1;
    })
}

fn known_person(policies: &[Policy], referents: &Arc<Referents>) -> Operation {
    let policies = compile(policies, referents);
    let outcomes = policies.outcomes(&person(10));
    let facts = RequestFacts {
        address: Some(IpAddr::from([198, 51, 100, 7])),
        ..RequestFacts::default()
    };
    Box::new(move || {
        black_box(policies.decide(black_box(Some(&outcomes)), &facts));
    })
}

fn by_address(size: u128) -> Operation {
    let range = |number: u128| Selector::Ip {
        ip: format!("10.{}.{}.0/25", number / 256, number % 256)
            .parse()
            .expect("a range"),
    };
    let open = policy(Decision::Bypass, (0..size).map(range).collect());
    let policies = compile(&[open], &Arc::default());
    let facts = RequestFacts {
        address: Some(IpAddr::from([10, 0, 0, 7])),
        ..RequestFacts::default()
    };
    Box::new(move || {
        black_box(policies.decide(None, black_box(&facts)));
    })
}
