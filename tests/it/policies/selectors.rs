//! Each selector through the whole gateway: applications in which it alone decides, once as what lets people in and
//! once as what keeps them out.

use std::fmt::Write as _;

use mock_entra::{Fault, IdTokenFault, User};
use serde_json::{Map, json};

use crate::support::person::Person;
use crate::support::tenant::{ADAM, ALICE, CLIENT, MALLORY, SECRET, STAFF, TENANT};
use crate::support::world::{Builder, World};

/// A world in which each of these rules has two applications: `/<n>/in`, which includes it, and `/<n>/out`, which
/// includes everyone and denies it.
fn world(rules: &[&str], more: &str) -> Builder {
    let mut applications = more.to_owned();
    for (number, rule) in rules.iter().enumerate() {
        write!(
            applications,
            r#"
[[applications]]
name = "{number} in"
domain = "wiki.localhost/{number}/in"
policies = [{{ name = "rule", decision = "allow", include = [{rule}] }}]
[[applications]]
name = "{number} out"
domain = "wiki.localhost/{number}/out"
policies = [
    {{ name = "rule", decision = "deny", include = [{rule}] }},
    {{ name = "everyone", decision = "allow", include = [{{ everyone = {{}} }}] }},
]
"#
        )
        .unwrap();
    }
    World::builder().more(&applications)
}

/// What a rule says of somebody.
#[derive(Debug, PartialEq)]
enum Said {
    Yes,
    No,
    Unknown,
}

/// Opens both applications of a rule.
async fn ask(world: &World, person: &mut Person, number: usize) -> Said {
    let mut status = async |door: &str| {
        let arrival = person
            .open(&world.host("wiki"), &format!("/{number}/{door}/x"))
            .await;
        arrival.status()
    };
    match (status("in").await, status("out").await) {
        (200, 403) => Said::Yes,
        (403, 200) => Said::No,
        (403, 403) => Said::Unknown,
        odd => panic!("rule {number}: {odd:?}"),
    }
}

#[tokio::test]
async fn addresses_of_people() {
    const GUEST: &str = "carol@partner.example";
    let lists = "[[lists]]\nname = \"team\"\ntype = \"EMAIL\"\nitems = [\"alice@contoso.example\", \"adam@contoso.example\"]\n";
    let rules = [
        "{ email = { email = \"ALICE@contoso.example\" } }",
        "{ email_domain = { domain = \"contoso.example\" } }",
        "{ email_list = { id = \"team\" } }",
        "{ everyone = {} }",
    ];
    let world = world(&rules, lists).start().await;
    let guest = User::guest(GUEST).domain_owner_verified(false);
    world.entra.directory().tenant(TENANT).add_user(guest);
    for (upn, said) in [
        (ALICE, [Said::Yes, Said::Yes, Said::Yes, Said::Yes]),
        (MALLORY, [Said::No, Said::Yes, Said::No, Said::Yes]),
        (GUEST, [Said::Unknown, Said::Unknown, Said::Unknown, Said::Yes]),
    ] {
        let mut person = world.person(upn);
        for (number, said) in said.into_iter().enumerate() {
            assert_eq!(
                ask(&world, &mut person, number).await,
                said,
                "{upn}: {}",
                rules[number]
            );
        }
    }
}

#[tokio::test]
async fn addresses_of_requests() {
    let lists = "[[lists]]\nname = \"office\"\ntype = \"IP\"\nitems = [{ value = \"198.51.100.0/24\", description = \"x\" }]\n";
    let rules = [
        "{ ip = { ip = \"198.51.100.0/24\" } }",
        "{ ip_list = { id = \"office\" } }",
    ];
    let world = world(&rules, lists)
        .listen("trusted_proxies = [\"127.0.0.1/32\"]")
        .start()
        .await;
    for (address, said) in [
        ("198.51.100.7", Said::Yes),
        ("203.0.113.7", Said::No),
        ("somewhere", Said::Unknown),
    ] {
        let mut alice = world.person(ALICE).saying("X-Forwarded-For", address);
        for (number, rule) in rules.iter().enumerate() {
            assert_eq!(ask(&world, &mut alice, number).await, said, "{address}: {rule}");
        }
    }
}

#[tokio::test]
async fn groups_of_the_directory_and_access_groups_around_them() {
    let groups = format!(
        r#"
[[groups]]
name = "trusted"
include = [{{ group = {{ id = "employees" }} }}]
exclude = [{{ email = {{ email = "{ADAM}" }} }}]
[[groups]]
name = "employees"
include = [{{ azureAD = {{ id = "{STAFF}" }} }}]
"#
    );
    let by_id = format!("{{ azureAD = {{ id = \"{STAFF}\" }} }}");
    let rules = [
        by_id.as_str(),
        "{ azureAD = { id = \"Staff\" } }",
        "{ group = { id = \"employees\" } }",
        "{ group = { id = \"trusted\" } }",
    ];
    let world = world(&rules, &groups).start().await;
    for (upn, said) in [
        (ALICE, [Said::Yes, Said::Yes, Said::Yes, Said::Yes]),
        (ADAM, [Said::Yes, Said::Yes, Said::Yes, Said::No]),
        (MALLORY, [Said::No, Said::No, Said::No, Said::No]),
    ] {
        let mut person = world.person(upn);
        for (number, said) in said.into_iter().enumerate() {
            assert_eq!(
                ask(&world, &mut person, number).await,
                said,
                "{upn}: {}",
                rules[number]
            );
        }
    }
    // Graph does not answer: nobody knows who is in which group.
    world.entra.fail_always(Fault::Graph {
        status: 403,
        code: "Authorization_RequestDenied".to_owned(),
        retry_after: None,
        from_page: 1,
    });
    let mut alice = world.person(ALICE);
    for (number, rule) in rules.iter().enumerate() {
        assert_eq!(ask(&world, &mut alice, number).await, Said::Unknown, "{rule}");
    }
}

#[tokio::test]
async fn what_the_id_token_says() {
    let rules = [
        "{ auth_method = { auth_method = \"mfa\" } }",
        "{ oidc = { claim_name = \"dept\", claim_value = \"eng\" } }",
        "{ login_method = { id = \"Entra ID\" } }",
    ];
    let world = world(&rules, "").provider("claims = [\"dept\"]").start().await;
    for (claims, said) in [
        (
            json!({"amr": ["pwd", "mfa"], "dept": ["ops", "eng"]}),
            [Said::Yes, Said::Yes, Said::Yes],
        ),
        (
            json!({"amr": ["pwd"], "dept": "ops"}),
            [Said::No, Said::No, Said::Yes],
        ),
        // Entra tells no methods unless asked to; a claim that is copied and not there is certainly not there.
        (json!({}), [Said::Unknown, Said::No, Said::Yes]),
    ] {
        let extra: Map<_, _> = claims.as_object().unwrap().clone();
        world
            .entra
            .fail_always(Fault::IdToken(IdTokenFault::ExtraClaims(extra)));
        let mut alice = world.person(ALICE);
        for (number, said) in said.into_iter().enumerate() {
            assert_eq!(
                ask(&world, &mut alice, number).await,
                said,
                "{claims}: {}",
                rules[number]
            );
        }
        world.entra.clear_faults();
    }
}

#[tokio::test]
async fn a_claim_that_nobody_copies_is_unknown() {
    let world = world(
        &["{ oidc = { claim_name = \"dept\", claim_value = \"eng\" } }"],
        "",
    )
    .start()
    .await;
    let extra: Map<_, _> = json!({"dept": "eng"}).as_object().unwrap().clone();
    world
        .entra
        .fail_always(Fault::IdToken(IdTokenFault::ExtraClaims(extra)));
    let mut alice = world.person(ALICE);
    assert_eq!(ask(&world, &mut alice, 0).await, Said::Unknown);
}

#[tokio::test]
async fn what_is_accepted_without_being_evaluated_is_unknown() {
    let rules = ["{ device_posture = { integration_uid = \"x\" } }"];
    let world = world(&rules, "")
        .organization("accept_unevaluated_selectors = [\"device_posture\"]")
        .start()
        .await;
    let mut alice = world.person(ALICE);
    assert_eq!(ask(&world, &mut alice, 0).await, Said::Unknown);
}

/// A second provider, of the same directory.
fn second_provider() -> String {
    format!(
        r#"
[[identity_providers]]
name = "Second"
type = "azureAD"
[identity_providers.config]
client_id = "{CLIENT}"
directory_id = "{TENANT}"
client_secret = "{SECRET}"
azure_cloud = "mock"
"#
    )
}

#[tokio::test]
async fn who_signed_in_elsewhere_did_not_sign_in_there() {
    let rule = "{ login_method = { id = \"Second\" } }";
    let by_the_first = second_provider()
        + &format!(
            r#"
[[applications]]
name = "in"
domain = "wiki.localhost/0/in"
allowed_idps = ["Entra ID"]
policies = [{{ name = "rule", decision = "allow", include = [{rule}] }}]
[[applications]]
name = "out"
domain = "wiki.localhost/0/out"
allowed_idps = ["Entra ID"]
policies = [
    {{ name = "rule", decision = "deny", include = [{rule}] }},
    {{ name = "everyone", decision = "allow", include = [{{ everyone = {{}} }}] }},
]
"#
        );
    let world = World::builder().more(&by_the_first).start().await;
    assert_eq!(ask(&world, &mut world.person(ALICE), 0).await, Said::No);
    let by_the_second = by_the_first.replace("[\"Entra ID\"]", "[\"Second\"]");
    let world = World::builder().more(&by_the_second).start().await;
    assert_eq!(ask(&world, &mut world.person(ALICE), 0).await, Said::Yes);
}
