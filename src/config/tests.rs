//! The whole file read at once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::declared::{Declared, DeclaredKind};
use super::faults::Faults;
use super::*;

const EXAMPLE: &str = include_str!("../../examples/vestibule.toml");
const TWELVE_FAULTS: &str = include_str!("../../tests/fixtures/config/twelve_faults.toml");
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

const TOKEN: &str = "cfast_0123456789abcdefghijABCDEFGHIJ0123456789abcdef01";

/// A configuration to which tests add a section or two.
const SMALL: &str = r#"
[organization]
name = "Example"
auth_url = "http://login.localhost:8080"
[listen]
http = "127.0.0.1:8080"
[store]
url = "sqlite::memory:"
[secrets]
master_key = { env = "KEY" }
[[upstreams]]
hostname = "*.localhost"
service = "http://127.0.0.1:3000"
"#;
const PROVIDER: &str = r#"
[[identity_providers]]
name = "Entra ID"
type = "azureAD"
config = { client_id = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516", client_secret = { env = "SECRET" }, directory_id = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60" }
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "KEY" => Some(KEY.to_owned()),
        "TOKEN" => Some(TOKEN.to_owned()),
        "SECRET" | "ENTRA_SECRET" => Some("s3cret~value".to_owned()),
        _ => None,
    }
}

fn load_with(text: &str, files: &BTreeMap<&str, Vec<u8>>) -> Result<Config, Faults> {
    let read = |path: &Path| {
        files
            .get(path.to_str().unwrap_or_default())
            .cloned()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    };
    let surroundings = Surroundings {
        env: &env,
        read: &read,
    };
    load_text(Path::new("vestibule.toml"), text, surroundings)
}

fn load_small(more: &str) -> Result<Config, Faults> {
    load_with(&format!("{SMALL}{more}"), &BTreeMap::new())
}

/// `key: reason` of each fault.
fn told(result: Result<Config, Faults>) -> Vec<String> {
    let faults = result.map_or_else(|faults| faults.0, |config| config.warnings);
    faults
        .iter()
        .map(|fault| format!("{}: {}", fault.key, fault.reason))
        .collect()
}

fn certificate(name: &str) -> (Vec<u8>, Vec<u8>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (
        made.cert.pem().into_bytes(),
        made.signing_key.serialize_pem().into_bytes(),
    )
}

fn account() -> crate::model::ids::AccountId {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

#[test]
fn the_example_is_complete_and_without_a_warning() {
    let (chain, key) = certificate("login.example.com");
    let files = BTreeMap::from([
        ("internal-ca.pem", chain.clone()),
        ("tls.crt", chain),
        ("tls.key", key),
        ("master-key", format!("{KEY}\n").into_bytes()),
    ]);
    let config = load_with(EXAMPLE, &files).unwrap();
    assert_eq!(told(Ok(config)), Vec::<String>::new());
    let config = load_with(EXAMPLE, &files).unwrap();
    assert_eq!(config.master_key.expose_secret().len(), 32);
    assert_eq!(config.organization.auth.origin(), "https://login.example.com");
    assert_eq!(config.upstreams.len(), 2);
    assert!(config.clouds.contains_key("mock") && config.clouds.contains_key("us_gov"));
    assert_eq!(config.declarations.count(DeclaredKind::Policy), 3);
    assert!(
        !format!("{config:?}").contains("s3cret"),
        "no secret shows in Debug"
    );
}

/// The README says so.
#[test]
fn the_example_shows_every_setting() {
    // Other spellings, and what every object may have.
    const ELSEWHERE: [&str; 3] = ["id", "self_hosted_domains", "email_list_uuid"];
    let sections = [
        ("organization", organization::KEYS),
        ("organization", organization::INACTIVITY),
        ("organization", organization::PAGES_KEYS),
        ("organization", looks::LOGIN_KEYS),
        ("listen", listen::KEYS),
        ("listen", listen::CERTIFICATE_KEYS),
        ("listen", forward_auth::KEYS),
        ("store", store::KEYS),
        ("refusals", refusals::KEYS),
        ("smtp", smtp::KEYS),
        ("log", log::KEYS),
        ("geo", geo::KEYS),
        ("outbound", outbound::KEYS),
        ("clouds", clouds::KEYS),
        ("upstreams", upstreams::KEYS),
        ("upstreams", upstreams::ORIGIN_REQUEST_KEYS),
        ("identity_providers", providers::KEYS),
        ("identity_providers", providers::CONFIG_KEYS),
        ("identity_providers", providers::CERTIFICATE_KEYS),
        ("certificates", authorities::KEYS),
        ("service_tokens", service_tokens::KEYS),
        ("api_tokens", api_tokens::KEYS),
        ("lists", lists::KEYS),
        ("groups", groups::KEYS),
        ("policies", policies::KEYS),
        ("policies", policies::APPROVAL_KEYS),
        ("applications", applications::KEYS),
        ("applications", applications::DESTINATION_KEYS),
        ("applications", launcher::KEYS),
        ("applications", looks::WELCOME_KEYS),
        ("applications", looks::LINK_KEYS),
        ("applications", application_settings::CORS_KEYS),
        ("applications", application_settings::OVERRIDE_KEYS),
        ("custom_pages", custom_pages::KEYS),
    ];
    let mut shown: BTreeMap<&str, String> = BTreeMap::new();
    let mut section = "";
    for line in EXAMPLE.lines() {
        let header = line.trim_start_matches("# ").trim_start_matches('[');
        if line.trim_start_matches("# ").starts_with('[')
            && let Some((name, _)) = header.split_once(']')
        {
            section = name.split('.').next().unwrap();
        }
        let text = shown.entry(section).or_default();
        text.push_str(line);
        text.push('\n');
    }
    let mut missing = Vec::new();
    for (section, keys) in &sections {
        let text = &shown[section];
        let words: Vec<&str> = text
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .collect();
        let hidden = keys
            .known
            .iter()
            .filter(|key| !ELSEWHERE.contains(key) && !words.contains(key));
        missing.extend(hidden.map(|key| format!("[{section}] {key}")));
    }
    assert_eq!(missing, Vec::<String>::new());
    for section in load::KEYS.known {
        assert!(shown.contains_key(section), "{section}");
    }
}

/// A file with twelve faults of different kinds yields twelve lines in one run.
#[test]
fn twelve_faults_are_told_in_twelve_lines() {
    let faults = load_with(TWELVE_FAULTS, &BTreeMap::new()).unwrap_err();
    let expected = include_str!("../../tests/fixtures/config/twelve_faults.txt");
    assert_eq!(faults.to_string().lines().count(), 12, "{faults}");
    assert_eq!(faults.to_string(), expected.trim_end());
}

#[test]
fn declared_objects_become_documents_of_the_api() {
    let text = format!(
        r#"{PROVIDER}
[[policies]]
name = "staff"
decision = "allow"
include = [{{ email_domain = {{ domain = "Example.com" }} }}]
[[applications]]
name = "Wiki"
domain = "wiki.localhost/docs"
session_duration = "24h"
allowed_idps = ["Entra ID"]
policies = ["staff", {{ name = "group", decision = "deny", include = [{{ azureAD = {{ id = "a1000001-1111-4a11-8a11-000000000001" }} }}] }}]
"#
    );
    let config = load_small(&text).unwrap();
    let objects = config.declarations.resolve(&account());
    let [provider, staff, group, wiki]: &[Declared; 4] = objects.as_slice().try_into().unwrap();
    assert_eq!(
        provider.body,
        json!({ "name": "Entra ID", "type": "azureAD", "config": {
            "client_id": "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516",
            "directory_id": "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60",
        } })
    );
    assert_eq!(provider.secrets["client_secret"].expose_secret(), "s3cret~value");
    assert_eq!(
        staff.body,
        json!({ "name": "staff", "decision": "allow", "include": [{ "email_domain": { "domain": "Example.com" } }] })
    );
    assert_eq!(
        group.body,
        json!({ "name": "group", "decision": "deny", "include": [{ "azureAD": {
            "id": "a1000001-1111-4a11-8a11-000000000001", "identity_provider_id": provider.id.to_string(),
        } }] })
    );
    assert_eq!(
        wiki.body,
        json!({
            "session_duration": "24h", "name": "Wiki", "type": "self_hosted", "domain": "wiki.localhost/docs",
            "destinations": [{ "type": "public", "uri": "wiki.localhost/docs" }],
            "self_hosted_domains": ["wiki.localhost/docs"],
            "allowed_idps": [provider.id.to_string()],
            "policies": [
                { "id": staff.id.to_string(), "precedence": 1 },
                { "id": group.id.to_string(), "precedence": 2 },
            ],
        })
    );
}

#[test]
fn ids_follow_from_account_kind_and_name_and_a_written_id_wins() {
    let ids = |text: &str, account: &crate::model::ids::AccountId| {
        let objects = load_small(text).unwrap().declarations.resolve(account);
        objects.iter().map(|object| object.id).collect::<Vec<_>>()
    };
    let other: crate::model::ids::AccountId = "ffffffffffffffffffffffffffffffff".parse().unwrap();
    assert_eq!(ids(PROVIDER, &account()), ids(PROVIDER, &account()));
    assert_ne!(ids(PROVIDER, &account()), ids(PROVIDER, &other));
    let renamed = PROVIDER.replace("\"Entra ID\"", "\"Entra\"");
    assert_ne!(ids(PROVIDER, &account()), ids(&renamed, &account()));
    let written = renamed.replace(
        "name = ",
        "id = \"7335d417-61da-459d-899c-0a01c76a2f94\"\nname = ",
    );
    assert_eq!(
        ids(&written, &account())[0].to_string(),
        "7335d417-61da-459d-899c-0a01c76a2f94"
    );
}

#[test]
fn references_must_name_one_object() {
    let second = PROVIDER.replace("Entra ID", "Partner");
    let application = |policies: &str| {
        format!("[[applications]]\nname = \"Wiki\"\ndomain = \"wiki.localhost\"\npolicies = [{policies}]\n")
    };
    let group = r#"{ name = "g", decision = "allow", include = [{ azureAD = { id = "a1000001-1111-4a11-8a11-000000000001" } }] }"#;
    let place = "applications[0].policies[0].include[0].azureAD";
    assert_eq!(
        told(load_small(&format!("{PROVIDER}{second}{}", application(group)))),
        [format!("{place}: which identity provider is meant? There are 2")]
    );
    assert_eq!(
        told(load_small(&application(group))),
        [format!("{place}: no identity provider is declared")]
    );
    assert_eq!(
        told(load_small(&format!("{PROVIDER}{}", application(group)))),
        [format!(
            "{place}: this provider does not read groups, so that the rule is always unknown: it lets nobody in and keeps people out"
        )]
    );
    let kept_out = group.replace("include = ", "include = [{ everyone = {} }], exclude = ");
    assert_eq!(
        told(load_small(&format!("{PROVIDER}{}", application(&kept_out)))),
        [format!(
            "{}: this provider does not read groups, so that the rule is always unknown: it lets nobody in and keeps people out",
            place.replace("include", "exclude")
        )]
    );
    // What the directory tells of is known all the same.
    for tells in ["scim_config", "directory_sync"] {
        let directory = format!("[identity_providers.{tells}]\nenabled = true\n");
        let said = told(load_small(&format!(
            "{PROVIDER}{directory}{}",
            application(group)
        )));
        assert!(
            !said.iter().any(|said| said.starts_with(place)),
            "{tells}: {said:?}"
        );
    }
    assert_eq!(
        told(load_small(&application("\"staff\""))),
        ["applications[0].policies[0]: no policy is called \"staff\""]
    );
}

#[test]
fn an_id_is_of_one_policy_wherever_it_stands() {
    let application = |name: &str| {
        format!(
            "[[applications]]\nname = \"{name}\"\ndomain = \"{name}.localhost\"\npolicies = [{{ id = \"7335d417-61da-459d-899c-0a01c76a2f94\", name = \"all\", decision = \"bypass\", include = [{{ everyone = {{}} }}] }}]\n"
        )
    };
    assert_eq!(
        told(load_small(&(application("one") + &application("two")))),
        ["applications[1].policies[0]: another policy has this id"]
    );
}

#[test]
fn addresses_belong_to_one_application_and_never_to_the_auth_host() {
    let application = |name: &str, domain: &str| {
        format!(
            "[[applications]]\nname = \"{name}\"\ndomain = \"{domain}\"\npolicies = [{{ name = \"all\", decision = \"bypass\", include = [{{ everyone = {{}} }}] }}]\n"
        )
    };
    let clash = application("One", "wiki.localhost") + &application("Two", "WIKI.localhost/");
    assert_eq!(
        told(load_small(&clash)),
        ["applications[1].domain: wiki.localhost is covered by the application \"One\" already"]
    );
    assert_eq!(
        told(load_small(&application("Login", "login.localhost/x"))),
        ["applications[0].domain: this is the auth host, which serves no application"]
    );
    assert_eq!(
        told(load_small(&application("Far", "far.example.com"))),
        [
            "applications[0].domain: no upstream serves far.example.com: allowed requests would be answered 502"
        ]
    );
}

#[test]
fn the_transfer_host_is_a_host_of_its_own() {
    let with = |host: &str, domain: &str| {
        let small = SMALL.replace("[listen]", &format!("transfer_host = \"{host}\"\n[listen]"));
        let text = format!(
            "{small}[[applications]]\nname = \"One\"\ndomain = \"{domain}\"\nskip_interstitial = true\npolicies = [{{ name = \"all\", decision = \"bypass\", include = [{{ everyone = {{}} }}] }}]\n"
        );
        told(load_with(&text, &BTreeMap::new()))
    };
    let warned = "applications[0].skip_interstitial: the page that asks the person before a program gets tokens is shown all the same";
    assert_eq!(with("transfer.localhost", "wiki.localhost"), [warned]);
    assert_eq!(
        with("login.localhost", "wiki.localhost"),
        ["organization.transfer_host: the auth host serves it in any case"]
    );
    assert_eq!(
        with("transfer.localhost", "transfer.localhost"),
        ["applications[0].domain: this is the transfer host, which serves no application"]
    );
    assert_eq!(with("https://transfer.localhost", "wiki.localhost").len(), 1);
}

#[test]
fn forward_auth_needs_an_address_peers_and_a_secret() {
    let load = |written: &str| {
        let text = SMALL.replace("[store]", &format!("forward_auth = {written}\n[store]"));
        load_with(&text, &BTreeMap::new())
    };
    let secret = "secret = { env = \"KEY\" }";
    let whole = format!("{{ address = \"127.0.0.1:9091\", peers = [\"10.0.0.0/30\", \"::1\"], {secret} }}");
    let config = load(&whole).unwrap();
    let forward_auth = config.listen.forward_auth.as_ref().unwrap();
    assert_eq!(forward_auth.address, "127.0.0.1:9091".parse().unwrap());
    assert_eq!(forward_auth.peers.len(), 2);
    assert_eq!(forward_auth.secret.expose_secret(), KEY);
    assert!(!format!("{config:?}").contains(KEY), "no secret shows in Debug");

    let address = "address = \"127.0.0.1:9091\"";
    let peers = "peers = [\"127.0.0.1\"]";
    for (written, told_of) in [
        (
            format!("{{ {peers}, {secret} }}"),
            "listen.forward_auth.address: missing",
        ),
        (
            format!("{{ {address}, {secret} }}"),
            "listen.forward_auth.peers: missing",
        ),
        (
            format!("{{ {address}, {peers} }}"),
            "listen.forward_auth.secret: missing",
        ),
        (
            format!("{{ {address}, {secret}, peers = [] }}"),
            "listen.forward_auth.peers: nobody may ask",
        ),
        (
            format!("{{ {address}, {secret}, peers = [\"10.0.0.1\", \"0.0.0.0/0\"] }}"),
            "listen.forward_auth.peers[1]: this lets everybody ask",
        ),
        (
            format!("{{ {address}, {secret}, peers = [\"proxy\"] }}"),
            "listen.forward_auth.peers[0]: \"proxy\" is no network",
        ),
        (
            format!("{{ {peers}, {secret}, address = \"9091\" }}"),
            "listen.forward_auth.address: \"9091\" is no address with a port",
        ),
        (
            format!("{{ {peers}, {secret}, address = \"127.0.0.1:8080\" }}"),
            "listen.forward_auth: this address is taken by another listener",
        ),
        (
            format!("{{ {address}, {peers}, secret = {{ env = \"NONE\" }} }}"),
            "listen.forward_auth.secret.env: the environment variable NONE is not set",
        ),
        (
            format!("{{ {address}, {peers}, {secret}, tls = true }}"),
            "listen.forward_auth.tls: unknown key",
        ),
    ] {
        assert_eq!(told(load(&written)), [told_of], "{written}");
    }
    for (secret, reason) in [
        ("fifteen-letters", "the secret is shorter than 16 characters"),
        (
            "a secret with spaces in it",
            "the secret has characters that no header field can carry",
        ),
        (&"x".repeat(257), "the secret is longer than 256 characters"),
    ] {
        let told = told(load(&format!("{{ {address}, {peers}, secret = \"{secret}\" }}")));
        assert_eq!(
            told,
            [format!("listen.forward_auth.secret: {reason}")],
            "{secret}"
        );
    }
}

#[test]
fn applications_of_a_proxy_that_asks_need_no_upstream() {
    let application = "[[applications]]\nname = \"Far\"\ndomain = \"far.example.com\"\npolicies = [{ name = \"all\", decision = \"bypass\", include = [{ everyone = {} }] }]\n";
    let asked = "forward_auth = { address = \"127.0.0.1:9091\", peers = [\"127.0.0.1\"], secret = { env = \"KEY\" } }\n[store]";
    let text = SMALL.replace("[store]", asked) + application;
    assert_eq!(told(load_with(&text, &BTreeMap::new())), Vec::<String>::new());
}

/// Each: what is added to a small configuration, and what is said about it.
fn assert_told<const N: usize>(cases: [(String, &str); N]) {
    for (more, expected) in cases {
        let taken = |config: Config| panic!("{more} is taken, with {:?}", config.warnings);
        assert_eq!(told(load_small(&more).map(taken)), [expected], "{more}");
    }
}

#[test]
fn mistakes_in_sections_are_told() {
    assert_told([
        (
            "[log]\nlevel = \"loud\"".to_owned(),
            "log.level: \"loud\" is not one of error, warn, info, debug, trace",
        ),
        (
            "[log]\nfilter = \"vestibule==loud\"".to_owned(),
            "log.filter: \"vestibule==loud\" is no filter",
        ),
        (
            "[log]\nlevel = 3".to_owned(),
            "log.level: a text is needed, not a number",
        ),
        (
            "[clouds.china]\nlogin = \"https://a\"\ngraph = \"https://b\"".to_owned(),
            "clouds.china: this name is one of Microsoft's clouds",
        ),
        (
            "[clouds.mine]\nlogin = \"http://10.0.0.1\"\ngraph = \"https://b\"".to_owned(),
            "clouds.mine.login: plain http is for loopback addresses only",
        ),
        (
            "[clouds.mine]\nlogin = \"http://a.localhost\"\ngraph = \"https://b\"".to_owned(),
            "clouds.mine.login: plain http is for loopback addresses only",
        ),
        (
            "[[upstreams]]\nhostname = \"*.localhost\"\nservice = \"http://b\"".to_owned(),
            "upstreams[1]: another upstream serves *.localhost already",
        ),
    ]);
}

#[test]
fn mistakes_in_the_organization_are_told() {
    let organization = |line: &str| SMALL.replacen("[listen]", &format!("{line}\n[listen]"), 1);
    for (line, fault) in [
        (
            "idle_timeout = \"4m\"",
            "organization.idle_timeout: 4m is outside 5m to 720h",
        ),
        (
            "user_seat_expiration_inactive_time = \"720h\"",
            "organization.user_seat_expiration_inactive_time: 720h is outside 730h to 87600h",
        ),
        (
            "idle_timeout = 30",
            "organization.idle_timeout: a text is needed, not a number",
        ),
        (
            "logout_return_to = \"https://a.example/\"",
            "organization.logout_return_to: a list is needed, not a text",
        ),
        (
            "logout_return_to = [\"/bye\"]",
            "organization.logout_return_to[0]: relative URL without a base",
        ),
        (
            "logout_return_to = [\"javascript:alert(1)\"]",
            "organization.logout_return_to[0]: only an http or https address without user name and fragment can be returned to",
        ),
    ] {
        let told = told(load_with(&organization(line), &BTreeMap::new()));
        assert!(told.iter().any(|one| one == fault), "{line}: {told:?}");
    }
}

#[test]
fn mistakes_in_identity_providers_are_told() {
    let provider = |config: &str| {
        format!(
            "[[identity_providers]]\nname = \"E\"\ntype = \"azureAD\"\nconfig = {{ client_id = \"3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516\", directory_id = \"72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60\", {config} }}\n"
        )
    };
    assert_told([
        (
            provider("client_secret = { env = \"NOT_SET\" }"),
            "identity_providers[0].config.client_secret.env: the environment variable NOT_SET is not set",
        ),
        (
            provider("client_secret = { file = \"/gone\" }"),
            "identity_providers[0].config.client_secret.file: /gone cannot be read: entity not found",
        ),
        (
            provider("support_groups = true"),
            "identity_providers[0].config.client_secret: missing",
        ),
        (
            provider("client_secret = { env = \"SECRET\" }, azure_cloud = \"germany\""),
            "identity_providers[0].config.azure_cloud: Microsoft closed this cloud on 29 October 2021",
        ),
        (
            provider("client_secret = { env = \"SECRET\" }, azure_cloud = \"mars\""),
            "identity_providers[0].config.azure_cloud: no cloud is called \"mars\"",
        ),
        (
            provider("client_secret = { env = \"SECRET\" }, conditional_access_enabled = \"yes\""),
            "identity_providers[0].config.conditional_access_enabled: true or false is needed, not a text",
        ),
        (
            "[outbound]\nallow = [\"10.0.0.0/33\"]".to_owned(),
            "outbound.allow[0]: \"10.0.0.0/33\" is no network",
        ),
        (
            "[outbound]\nallow = [\"0.0.0.0/0\"]".to_owned(),
            "outbound.allow[0]: it takes the whole wall down",
        ),
        (
            provider("client_secret = { env = \"SECRET\" }, client_secret_expires_at = \"soon\""),
            "identity_providers[0].config.client_secret_expires_at: \"soon\" is no point in time",
        ),
        (
            provider("client_secret = { env = \"SECRET\" }, prompt = \"consent\""),
            "identity_providers[0].config.prompt: \"consent\" is not one of login, select_account, none",
        ),
        (
            format!("{PROVIDER}{PROVIDER}"),
            "identity_providers[1].name: another identity provider is called \"Entra ID\"",
        ),
    ]);
}

#[test]
fn mistakes_in_policies_are_told() {
    let policy = |rest: &str| format!("[[policies]]\nname = \"p\"\n{rest}\n");
    assert_told([
        (
            policy("include = [{ everyone = {} }]"),
            "policies[0].decision: missing",
        ),
        (
            policy("decision = \"allow\"\ninclude = []"),
            "policies[0].include: nobody is included",
        ),
        (
            policy("decision = \"non_identity\"\ninclude = [{ everyone = {} }]"),
            "policies[0].include[0]: everyone would need no service token",
        ),
        (
            policy("decision = \"non_identity\"\ninclude = [{ auth_method = { auth_method = \"mfa\" } }]"),
            "policies[0].include[0].auth_method: a Service Auth policy knows machines only: there is no sign-in",
        ),
        (
            policy("decision = \"bypass\"\ninclude = [{ email = { email = \"a@b.example\" } }]"),
            "policies[0].include[0].email: a bypass policy knows nobody: there is no sign-in",
        ),
        (
            policy(
                "decision = \"allow\"\ninclude = [{ email = { email = \"a@b.example\" }, everyone = {} }]",
            ),
            "policies[0].include[0]: a rule has one selector, not 2",
        ),
        (
            policy("decision = \"allow\"\ninclude = [{ email = { email = \"ada\" } }]"),
            "policies[0].include[0].email.email: an e-mail address such as ada@example.com is needed",
        ),
        (
            policy("decision = \"allow\"\ninclude = [{ email_domian = { domain = \"b.example\" } }]"),
            "policies[0].include[0].email_domian: there is no selector email_domian",
        ),
        (
            format!(
                "[[lists]]\nname = \"team\"\ntype = \"EMAIL\"\nitems = [\"a@b.example\"]\n{}",
                policy(
                    "decision = \"allow\"\ninclude = [{ everyone = {} }]\napproval_required = true\n\
                     approval_groups = [{ email_list = \"team\", email_list_uuid = \"team\" }]"
                )
            ),
            "policies[0].approval_groups[0].email_list_uuid: the list is named twice",
        ),
    ]);
}

#[test]
fn mistakes_in_rules_are_told() {
    let rule = |rule: &str| {
        format!(
            "{PROVIDER}[[policies]]\nname = \"p\"\ndecision = \"allow\"\ninclude = [{{ everyone = {{}} }}]\nrequire = [{rule}]\n"
        )
    };
    let evaluation = "{ external_evaluation = { evaluate_url = \"http://e.example.com\", keys_url = \"https://e.example.com\" } }";
    let place = |rest: &str| format!("policies[0].require[0].{rest}");
    for (written, told) in [
        (
            "{ geo = { country_code = \"Sweden\" } }",
            "geo.country_code: there is no country Sweden: a code of ISO 3166-1 alpha-2 is needed, such as SE or GB",
        ),
        (
            "{ ip = { ip = \"10.0.0.0/33\" } }",
            "ip.ip: an address or a range such as 198.51.100.0/24 is needed",
        ),
        (
            "{ email_list = { id = \"nobody\" } }",
            "email_list.id: no list is called \"nobody\"",
        ),
        ("{ group = {} }", "group.id: missing"),
        (
            "{ service_token = { token_id = \"ci\" } }",
            "service_token.token_id: no service token is called \"ci\"",
        ),
        (
            "{ login_method = { id = \"Entra\" } }",
            "login_method.id: no identity provider is called \"Entra\"",
        ),
        (
            "{ auth_context = { ac_id = \"c0\" } }",
            "auth_context.ac_id: \"c0\" is no authentication context",
        ),
        (
            "{ azureAD = { id = \"a1000001-1111-4a11-8a11\\n\" } }",
            "azureAD.id: the object id of a group is needed, a UUID, or the group's name",
        ),
        (
            "{ oidc = { claim_name = \"dept\" } }",
            "oidc.claim_value: missing",
        ),
        (
            evaluation,
            "external_evaluation.evaluate_url: \"http://e.example.com\" cannot be asked",
        ),
        (
            "{ common_name = { name = \"x\" } }",
            "common_name.name: unknown key",
        ),
        (
            "{ device_posture = { integration_uid = \"x\" } }",
            "device_posture: this version does not evaluate device_posture",
        ),
        ("{ gep = {} }", "gep: there is no selector gep"),
        (
            "{ email = { email = \"\" } }",
            "email.email: an e-mail address such as ada@example.com is needed",
        ),
        (
            "{ email_domain = { domain = \"@b.c\" } }",
            "email_domain.domain: a domain such as example.com is needed, without @",
        ),
        (
            "{ auth_method = { auth_method = \"\" } }",
            "auth_method.auth_method: 1 to 350 visible characters are needed",
        ),
    ] {
        let all = told_all(&rule(written));
        assert!(all.contains(&place(told)), "{written}: {all:?}");
    }
}

/// What another fault of the section has to do with rules: nothing.
#[test]
fn a_fault_of_the_organization_makes_no_faults_of_its_rules() {
    let rules = "[[policies]]\nname = \"p\"\ndecision = \"allow\"\ninclude = [{ everyone = {} }]\n\
                 require = [{ device_posture = { integration_uid = \"x\" } }, { okta = { name = \"x\" } }]\n\
                 [[groups]]\nname = \"g\"\ninclude = [{ device_posture = { integration_uid = \"x\" } }]\n";
    for (accepted, session, expected) in [
        (
            "[\"device_posture\", \"okta\"]",
            "14m",
            &["organization.session_duration: 14m is outside 15m to 720h"][..],
        ),
        (
            "[\"device_posture\"]",
            "14m",
            &[
                "organization.session_duration: 14m is outside 15m to 720h",
                "policies[0].require[1].okta: this version does not evaluate okta",
            ],
        ),
        // Which ones were meant is not known: nothing is said of any.
        (
            "[\"device_postures\"]",
            "24h",
            &[
                "organization.accept_unevaluated_selectors[0]: \"device_postures\" is not one of device_posture, user_risk_score, \
                 linked_app_token, saml, okta, gsuite, github-organization, cloudflare_account_member",
            ],
        ),
    ] {
        let section = format!(
            "accept_unevaluated_selectors = {accepted}\nsession_duration = \"{session}\"\nauth_url ="
        );
        let text = SMALL.replace("auth_url =", &section);
        let faults =
            load_with(&format!("{text}{rules}"), &BTreeMap::new()).map(|config| panic!("{config:?}"));
        assert_eq!(told(faults), expected, "{accepted} {session}");
    }
}

/// A provider, and a policy that lets those in whom a rule means.
fn allowing(rule: &str) -> String {
    format!("{PROVIDER}[[policies]]\nname = \"p\"\ndecision = \"allow\"\ninclude = [{rule}]\n")
}

/// The smallest configuration, which takes rules that are never evaluated.
fn accepting(selector: &str) -> String {
    SMALL.replace(
        "auth_url =",
        &format!("accept_unevaluated_selectors = [\"{selector}\"]\nauth_url ="),
    )
}

#[test]
fn a_token_of_another_application_has_its_place_among_machines() {
    let accepting = accepting("linked_app_token");
    let linked = |decision: &str| {
        let rule = allowing("{ linked_app_token = { app_uid = \"x\" } }").replace("\"allow\"", decision);
        told(load_with(&format!("{accepting}{rule}"), &BTreeMap::new()))
    };
    let at_linked = "policies[0].include[0].linked_app_token";
    for decision in ["\"allow\"", "\"deny\""] {
        assert_eq!(
            linked(decision),
            [format!(
                "{at_linked}: linked_app_token has a place in policies of decision non_identity and bypass only"
            )]
        );
    }
    assert_eq!(
        linked("\"bypass\""),
        [format!(
            "{at_linked}: {}",
            crate::model::selector::Unevaluated::LinkedAppToken.warning()
        )]
    );
    let through_group = |decision: &str| {
        let groups = "[[groups]]\nname = \"outer\"\ninclude = [{ group = { id = \"inner\" } }]\n[[groups]]\n\
             name = \"inner\"\ninclude = [{ linked_app_token = { app_uid = \"x\" } }]\n";
        let rule = allowing("{ group = { id = \"outer\" } }").replace("\"allow\"", decision);
        let said = told(load_with(&format!("{accepting}{groups}{rule}"), &BTreeMap::new()));
        said.into_iter()
            .filter(|said| said.starts_with("policies"))
            .collect::<Vec<_>>()
    };
    for decision in ["\"allow\"", "\"deny\""] {
        assert_eq!(
            through_group(decision),
            [format!(
                "policies[0].include[0].group: {}",
                crate::model::selector::GROUP_LINKS_APP
            )]
        );
    }
    assert_eq!(through_group("\"bypass\""), [""; 0]);
}

#[test]
fn rules_that_let_nobody_in_are_warned_of() {
    let rule = allowing;
    for (written, told) in [
        ("{ azureAD = { id = \"Engineering\" } }", "is the name of a group"),
        (
            "{ auth_context = { ac_id = \"c1\" } }",
            "is not asked for authentication contexts, so that the rule is always unknown: it lets nobody in",
        ),
        (
            "{ oidc = { claim_name = \"dept\", claim_value = \"eng\" } }",
            "does not copy the claim dept, so that the rule is always unknown: it lets nobody in",
        ),
    ] {
        let warnings = told_all(&rule(written));
        assert!(
            warnings.iter().any(|warning| warning.contains(told)),
            "{warnings:?}"
        );
    }
    let text = format!(
        "{}{}",
        accepting("device_posture"),
        rule("{ device_posture = { integration_uid = \"x\", levels = [1, 2.5, true] } }")
    );
    let config = load_with(&text, &BTreeMap::new()).unwrap();
    assert!(
        config.warnings[0]
            .reason
            .contains("device_posture is never evaluated")
    );
    let objects = config.declarations.resolve(&account());
    let policy = objects
        .iter()
        .find(|object| object.kind == DeclaredKind::Policy)
        .unwrap();
    assert_eq!(
        policy.body["include"],
        json!([{ "device_posture": { "integration_uid": "x", "levels": [1, 2.5, true] } }])
    );
    let risk = |levels: &str| {
        let text = format!(
            "{}{}",
            accepting("user_risk_score"),
            rule(&format!(
                "{{ user_risk_score = {{ user_risk_score = {levels} }} }}"
            ))
        );
        told(load_with(&text, &BTreeMap::new()))
    };
    let at = "policies[0].include[0].user_risk_score";
    assert_eq!(
        risk("[\"low\", \"medium\", \"high\", \"unscored\"]"),
        [format!(
            "{at}: {}",
            crate::model::selector::Unevaluated::UserRiskScore.warning()
        )]
    );
    let levels = "a list of the levels low, medium, high and unscored is needed";
    assert_eq!(
        risk("[\"low\", \"huge\"]"),
        [format!("{at}: \"huge\" is no risk level: {levels}")]
    );
    assert_eq!(risk("\"low\""), [format!("{at}: {levels}")]);
    assert!(
        load_with(&accepting("geo"), &BTreeMap::new())
            .unwrap_err()
            .to_string()
            .contains("\"geo\" is not one of device_posture")
    );
}

fn told_all(more: &str) -> Vec<String> {
    told(load_small(more))
}

#[test]
fn lists_and_access_groups_are_declared_and_referred_to_by_name() {
    let text = format!(
        r#"{PROVIDER}
[[groups]]
name = "all"
include = [{{ group = {{ id = "crew" }} }}]
exclude = [{{ ip_list = {{ id = "outside" }} }}]
[[groups]]
name = "crew"
is_default = true
include = [{{ email_list = {{ id = "team" }} }}, {{ login_method = {{ id = "Entra ID" }} }}]
[[lists]]
name = "team"
type = "EMAIL"
items = ["Ada@example.com", {{ value = "bob@example.com", description = "Bob" }}]
[[lists]]
name = "outside"
type = "IP"
items = ["203.0.113.0/24"]
[[policies]]
name = "crew"
decision = "allow"
include = [{{ group = {{ id = "all" }} }}]
purpose_justification_required = true
purpose_justification_prompt = "Why?"
approval_required = true
approval_groups = [{{ approvals_needed = 2, email_addresses = ["a@example.com", "b@example.com"] }}, {{ email_list = "team" }}]
"#
    );
    let objects = load_small(&text).unwrap().declarations.resolve(&account());
    let of = |kind, name: &str| {
        objects
            .iter()
            .find(|object| object.kind == kind && object.name == name)
            .unwrap()
    };
    let (team, outside) = (of(DeclaredKind::List, "team"), of(DeclaredKind::List, "outside"));
    assert_eq!(
        team.body,
        json!({ "name": "team", "type": "EMAIL", "items": [
            { "value": "Ada@example.com" }, { "value": "bob@example.com", "description": "Bob" },
        ] })
    );
    let provider = of(DeclaredKind::IdentityProvider, "Entra ID");
    let crew = of(DeclaredKind::Group, "crew");
    assert_eq!(
        crew.body,
        json!({ "name": "crew", "is_default": true, "include": [
            { "email_list": { "id": team.id.to_string() } },
            { "login_method": { "id": provider.id.to_string() } },
        ] })
    );
    let all = of(DeclaredKind::Group, "all");
    assert_eq!(
        all.body,
        json!({ "name": "all", "include": [{ "group": { "id": crew.id.to_string() } }],
            "exclude": [{ "ip_list": { "id": outside.id.to_string() } }] })
    );
    assert_eq!(
        of(DeclaredKind::Policy, "crew").body,
        json!({ "name": "crew", "decision": "allow", "include": [{ "group": { "id": all.id.to_string() } }],
            "purpose_justification_required": true, "purpose_justification_prompt": "Why?",
            "approval_required": true, "approval_groups": [
                { "approvals_needed": 2, "email_addresses": ["a@example.com", "b@example.com"] },
                { "approvals_needed": 1, "email_list_uuid": team.id.to_string() },
            ] })
    );
}

#[test]
fn mistakes_in_lists_and_access_groups_are_told() {
    let group = |name: &str, include: &str| format!("[[groups]]\nname = \"{name}\"\ninclude = [{include}]\n");
    let list = |rest: &str| format!("[[lists]]\nname = \"l\"\n{rest}\n");
    let policy = |decision: &str, rest: &str| {
        format!("[[policies]]\nname = \"p\"\ndecision = \"{decision}\"\n{rest}\n")
    };
    let in_group = "{ group = { id = \"b\" } }";
    assert_told([
        (
            list("type = \"EMAIL\"\nitems = [\"nobody\"]"),
            "lists[0].items[0]: an e-mail address such as ada@example.com is needed",
        ),
        (
            list("type = \"SERIAL\"\nitems = []"),
            "lists[0].type: \"SERIAL\" is not one of EMAIL, IP",
        ),
        (list("type = \"IP\""), "lists[0].items: missing"),
        (
            list("type = \"IP\"\nitems = [\"10.0.0.0/8\"]") + &group("a", "{ email_list = { id = \"l\" } }"),
            "groups[0].include[0].email_list: this list is of type IP",
        ),
        (group("a", ""), "groups[0].include: nobody is included"),
        (
            group("b", in_group) + &group("c", in_group),
            "groups[0]: this access group refers to itself, directly or through others",
        ),
        (
            group("b", "{ email_domain = { domain = \"example.com\" } }")
                + &policy("bypass", &format!("include = [{in_group}]")),
            "policies[0].include[0].group: a bypass policy knows nobody: there is no sign-in",
        ),
        (
            group("a", in_group)
                + &group("b", "{ email_domain = { domain = \"example.com\" } }")
                + &policy("non_identity", "include = [{ group = { id = \"a\" } }]"),
            "policies[0].include[0].group: a Service Auth policy knows machines only: there is no sign-in",
        ),
        (
            policy("allow", "include = [{ everyone = {} }]\napproval_required = true"),
            "policies[0].approval_groups: missing",
        ),
        (
            policy(
                "allow",
                "include = [{ everyone = {} }]\napproval_groups = [{ approvals_needed = 1 }]",
            ),
            "policies[0].approval_groups[0]: nobody of this group may give leave",
        ),
        (
            policy(
                "deny",
                "include = [{ everyone = {} }]\npurpose_justification_required = true",
            ),
            "policies[0].purpose_justification_required: only a policy of decision allow can ask for it",
        ),
    ]);
}

/// The API says the same.
#[test]
fn going_straight_to_one_provider_of_several_is_warned_of() {
    let second = PROVIDER.replace("Entra ID", "Partner");
    let two = format!("{PROVIDER}{second}");
    let application = |kind: &str, allowed: &str, on: bool| {
        format!(
            "[[applications]]\nname = \"a\"\n{kind}\npolicies = [{{ name = \"p\", decision = \"allow\", include = [{{ \
             everyone = {{}} }}] }}]\n{allowed}\nauto_redirect_to_identity = {on}\n"
        )
    };
    let said = "applications[0].auto_redirect_to_identity: several identity providers are allowed, so that people choose \
                among them all the same";
    for kind in ["domain = \"a.localhost\"", "type = \"app_launcher\""] {
        for (providers, allowed, on, warned) in [
            (two.as_str(), "", true, true),
            (
                two.as_str(),
                "allowed_idps = [\"Entra ID\", \"Partner\"]",
                true,
                true,
            ),
            (
                two.as_str(),
                "allowed_idps = [\"Entra ID\", \"Partner\"]",
                false,
                false,
            ),
            (two.as_str(), "allowed_idps = [\"Partner\"]", true, false),
            (
                two.as_str(),
                "allowed_idps = [\"Partner\", \"Partner\"]",
                true,
                false,
            ),
            (PROVIDER, "", true, false),
        ] {
            let warnings = told_all(&format!("{providers}{}", application(kind, allowed, on)));
            let expected = if warned { vec![said] } else { Vec::new() };
            assert_eq!(warnings, expected, "{kind} {allowed} {on}");
        }
    }
}

/// The API takes the same.
#[test]
fn tokens_live_as_long_as_is_written_or_it_is_said_that_they_do_not() {
    let written = |duration: &str| {
        format!(
            "[[applications]]\nname = \"a\"\ndomain = \"a.localhost\"\nsession_duration = \"{duration}\"\npolicies = [{{ \
             name = \"p\", decision = \"allow\", include = [{{ everyone = {{}} }}], session_duration = \"{duration}\" }}]\n"
        )
    };
    for (duration, said) in [
        ("0", None),
        ("0s", None),
        ("1ns", Some("a token lives at least a minute: this means 1m")),
        ("300ms", Some("a token lives at least a minute: this means 1m")),
        ("59s", Some("a token lives at least a minute: this means 1m")),
        ("1m", None),
        ("720h", None),
        (
            "721h",
            Some("a session ends after 720h at the latest, and its tokens with it"),
        ),
        (
            "744h",
            Some("a session ends after 720h at the latest, and its tokens with it"),
        ),
    ] {
        let keys = [
            "applications[0].session_duration",
            "applications[0].policies[0].session_duration",
        ];
        let expected = said.map_or_else(Vec::new, |said| keys.map(|key| format!("{key}: {said}")).to_vec());
        let config = load_small(&written(duration));
        assert!(config.is_ok(), "{duration}: {config:?}");
        let mut warnings = told(config);
        warnings.sort();
        let mut expected = expected;
        expected.sort();
        assert_eq!(warnings, expected, "{duration}");
    }
}

#[test]
fn mistakes_in_applications_are_told() {
    let application = |rest: &str| format!("[[applications]]\nname = \"a\"\npolicies = []\n{rest}\n");
    assert_told([
        (
            application("domain = \"https://wiki.localhost\""),
            "applications[0].domain: leave out the scheme and the port: applications have those of `auth_url`",
        ),
        (
            application("domain = \"bad.localhost/cdn-cgi/access\""),
            "applications[0].domain: this path is the gateway's own on every host, and no application is reached there",
        ),
        (
            application("destinations = [\"bad.localhost\", \"bad.localhost/CDN-CGI/access/callback\"]"),
            "applications[0].destinations[1]: this path is the gateway's own on every host, and no application is reached there",
        ),
        (
            application("session_duration = \"24h\""),
            "applications[0].domain: missing",
        ),
        (
            application("domain = \"a.localhost\"\nsession_duration = \"745h\""),
            "applications[0].session_duration: at most 744h is needed",
        ),
        (
            application("domain = \"a.localhost\"\naud = \"abc\""),
            "applications[0].aud: it must be 64 lower-case hexadecimal digits",
        ),
        (
            application("domain = \"a.localhost\"\nwebsocket_origins = [\"https://a.example/\"]"),
            "applications[0].websocket_origins[0]: an origin is https://host, with a port unless it is the scheme's own, and nothing after it",
        ),
        (
            application("domain = \"a.localhost\"\nhttp_only_cookie_attribute = \"yes\""),
            "applications[0].http_only_cookie_attribute: true or false is needed, not a text",
        ),
        (
            application("domain = \"a.localhost\"\ncors_headers = {}"),
            "applications[0].cors_headers: no origin is allowed: list some in allowed_origins",
        ),
        (
            application("domain = \"a.localhost\"\nid = \"1\""),
            "applications[0].id: \"1\" is no UUID",
        ),
        (
            application("destinations = [\"a.localhost\"]\nself_hosted_domains = [\"b.localhost\"]"),
            "applications[0].self_hosted_domains: the addresses are listed twice",
        ),
    ]);
}

#[test]
fn a_declared_service_token_leaves_its_secret_behind() {
    let text = "[[service_tokens]]\nname = \"CI\"\nclient_id = \"0123456789abcdef0123456789abcdef.access\"\nclient_secret = { env = \"TOKEN\" }\n";
    let config = load_small(text).unwrap();
    let [token] = config.declarations.resolve(&account()).try_into().unwrap();
    assert_eq!(token.kind, DeclaredKind::ServiceToken);
    assert_eq!(
        token.body,
        json!({"name": "CI", "client_id": "0123456789abcdef0123456789abcdef.access", "duration": "8760h", "enabled": true})
    );
    let hash = crate::crypto::digest::sha256_hex(TOKEN.as_bytes());
    assert_eq!(token.secrets["client_secret_sha256"].expose_secret(), hash);
}

#[test]
fn provisioning_is_read_and_its_secret_left_behind() {
    let scim = "scim_secret = { env = \"TOKEN\" }\n[identity_providers.scim_config]\nenabled = true\nuser_deprovision = true\nidentity_update_behavior = \"automatic\"\nsilence_alarm = \"2h\"\n";
    let config = load_small(&format!("{PROVIDER}{scim}")).unwrap();
    let [provider] = config.declarations.resolve(&account()).try_into().unwrap();
    assert_eq!(
        provider.body["scim_config"],
        json!({"enabled": true, "user_deprovision": true, "identity_update_behavior": "automatic", "silence_alarm": "2h"})
    );
    let hash = crate::crypto::digest::sha256_hex(TOKEN.as_bytes());
    assert_eq!(provider.secrets["scim_secret_hash"].expose_secret(), hash);
    let without = load_small(PROVIDER).unwrap().declarations.resolve(&account());
    assert_eq!(without[0].body.get("scim_config"), None);
}

#[test]
fn mistakes_in_provisioning_are_told() {
    for (lines, reason) in [
        (
            "[identity_providers.scim_config]\nenabled = \"yes\"",
            "scim_config.enabled",
        ),
        (
            "[identity_providers.scim_config]\nidentity_update_behavior = \"never\"",
            "is not one of automatic",
        ),
        (
            "[identity_providers.scim_config]\nseat_deprovision = true",
            "a seat is freed with its person only",
        ),
        (
            "[identity_providers.scim_config]\nsecret = \"x\"",
            "it is generated",
        ),
        (
            "[identity_providers.scim_config]\nscim_base_url = \"x\"",
            "it follows from auth_url",
        ),
        (
            "[identity_providers.scim_config]\nlog_retention = \"long\"",
            "scim_config.log_retention",
        ),
        (
            "[identity_providers.scim_config]\nlog_retention = \"24h\"\nsilence_alarm = \"25h\"",
            "scim_config.log_retention: silence_alarm is longer",
        ),
        (
            "[identity_providers.scim_config]\nlog_retention = \"1s\"\nsilence_alarm = \"0s\"",
            "scim_config.log_retention: it is less than a day (24h)",
        ),
        (
            "[identity_providers.directory_sync]\nlog_retention = \"23h\"",
            "directory_sync.log_retention: it is less than a day (24h)",
        ),
        (
            "[identity_providers.scim_config]\nsilence_alarm = \"4393h\"",
            "silence_alarm is longer",
        ),
        (
            "[identity_providers.directory_sync]\nlog_retention = \"24h\"\nsilence_alarm = \"25h\"",
            "directory_sync.log_retention: silence_alarm is longer",
        ),
        (
            "scim_secret = { env = \"SECRET\" }\nscim_config = { enabled = true }",
            "a secret has 32 to 256",
        ),
        ("scim_secret = { env = \"TOKEN\" }", "a secret for nothing"),
    ] {
        let told = told(load_small(&format!("{PROVIDER}{lines}\n")));
        assert!(told.len() == 1 && told[0].contains(reason), "{lines}: {told:?}");
    }
    // The alarm of a directory that is read comes sooner than that of one which tells.
    let short = "[identity_providers.directory_sync]\nlog_retention = \"24h\"\n";
    assert_eq!(told_all(&format!("{PROVIDER}{short}")), [""; 0]);
}

#[test]
fn a_declared_token_of_the_api_leaves_itself_behind() {
    let config = load_small(
        "[[api_tokens]]\nname = \"terraform\"\ntoken = { env = \"TOKEN\" }\n\
         permissions = [\"Access: Apps and Policies Write\"]\naddresses = [\"198.51.100.7\"]\n\
         expires_at = 2027-03-31T00:00:00Z",
    )
    .unwrap();
    let declared = config.declarations.resolve(&account());
    let token = declared
        .iter()
        .find(|object| object.kind == DeclaredKind::ApiToken)
        .unwrap();
    assert_eq!(
        token.body,
        json!({
            "name": "terraform", "permissions": ["Access: Apps and Policies Write"],
            "addresses": ["198.51.100.7/32"], "expires_at": "2027-03-31T00:00:00Z",
        })
    );
    let kept: Vec<&str> = token
        .secrets
        .values()
        .map(secrecy::SecretString::expose_secret)
        .collect();
    assert_eq!(kept, [crate::crypto::digest::sha256_hex(TOKEN.as_bytes())]);
}

#[test]
fn mistakes_in_tokens_of_the_api_are_told() {
    let token = |more: &str| format!("[[api_tokens]]\nname = \"x\"\ntoken = {{ env = \"TOKEN\" }}\n{more}");
    let all = "permissions = [\"*\"]\n";
    assert_told([
        (token(""), "api_tokens[0].permissions: missing"),
        (
            token("permissions = []"),
            "api_tokens[0].permissions: a token that may do nothing",
        ),
        (
            token("permissions = [\"Access: Apps and Policies Wirte\"]"),
            "api_tokens[0].permissions[0]: no permission is called \"Access: Apps and Policies Wirte\"",
        ),
        (
            token("permissions = [7]"),
            "api_tokens[0].permissions[0]: a text is needed, not a number",
        ),
        (
            format!("[[api_tokens]]\nname = \"x\"\n{all}"),
            "api_tokens[0].token: missing",
        ),
        (
            format!("[[api_tokens]]\nname = \"x\"\ntoken = \"short\"\n{all}"),
            "api_tokens[0].token: this is no token of the API",
        ),
        (
            format!("[[api_tokens]]\nname = \"x\"\ntoken = {{ env = \"NOWHERE\" }}\n{all}"),
            "api_tokens[0].token.env: the environment variable NOWHERE is not set",
        ),
        (
            token(&format!("{all}addresses = [\"home\"]")),
            "api_tokens[0].addresses[0]: \"home\" is no network",
        ),
        (
            token(&format!("{all}expires_at = \"soon\"")),
            "api_tokens[0].expires_at: \"soon\" is no point in time",
        ),
        (
            token(&format!("{all}colour = 1")),
            "api_tokens[0].colour: unknown key",
        ),
        (
            format!("{}{}", token(all), token(all)),
            "api_tokens[1].name: another API token is called \"x\"",
        ),
    ]);
}

#[test]
fn mistakes_in_service_tokens_and_their_settings_are_told() {
    let token = |lines: &str| format!("[[service_tokens]]\nname = \"CI\"\n{lines}");
    let secret = "client_secret = { env = \"TOKEN\" }\n";
    for (more, reason) in [
        (token(""), "service_tokens[0].client_secret: missing"),
        (
            token("client_secret = { env = \"SECRET\" }"),
            "client_secret: a secret has 32 to 256",
        ),
        (
            token(&format!("{secret}client_id = \"x.access\"")),
            "client_id: it must be 32",
        ),
        (
            token(&format!("{secret}duration = \"30s\"")),
            "duration: a duration of at least 1m",
        ),
        (
            token(&format!("{secret}expires_at = 2027-01-01")),
            "expires_at: it follows from duration",
        ),
    ] {
        let told = told(load_small(&more));
        assert!(told.len() == 1 && told[0].contains(reason), "{more}: {told:?}");
    }
    let organization = |line: &str| {
        let text = SMALL.replace("[listen]", &format!("{line}\n[listen]"));
        (told(load_with(&text, &BTreeMap::new())), line.to_owned())
    };
    for (line, reason) in [
        ("strict_service_token_auth = 1", "true or false is needed"),
        (
            "service_token_inactivity = { inactivity_threshold_days = 29, action = \"disable\" }",
            "29 is outside 30 to 365",
        ),
        (
            "service_token_inactivity = { inactivity_threshold_days = 90, action = \"forget\" }",
            "is not one of disable, delete",
        ),
        (
            "service_token_inactivity = { action = \"delete\" }",
            "inactivity_threshold_days: missing",
        ),
    ] {
        let (told, line) = organization(line);
        assert!(
            told.iter().any(|fault| fault.contains(reason)),
            "{line}: {told:?}"
        );
    }
    let text = SMALL.replace(
        "[listen]",
        "strict_service_token_auth = true\nservice_token_inactivity = { inactivity_threshold_days = 90, action = \"delete\" }\n[listen]",
    );
    let rules = load_with(&text, &BTreeMap::new())
        .unwrap()
        .organization
        .service_tokens;
    assert!(rules.strict && rules.inactivity.is_some_and(|inactivity| inactivity.days == 90));
}

#[test]
fn what_is_permitted_but_unwise_is_a_warning() {
    let open = SMALL.replace("127.0.0.1:8080", "0.0.0.0:8080");
    let provider = PROVIDER.replace("{ env = \"SECRET\" }", "\"written out\"");
    let upstream = "[[upstreams]]\nhostname = \"a.localhost\"\nservice = \"https://b\"\norigin_request = { no_tls_verify = true }\n";
    let text = format!("{open}{upstream}{provider}");
    assert_eq!(
        told(load_with(&text, &BTreeMap::new())),
        [
            "listen.http: plain http on an address that others reach, and no trusted proxy",
            "upstreams[1].origin_request.no_tls_verify: the upstream's certificate is not verified: whoever is between can read and change everything",
            "identity_providers[0].config.client_secret: a secret stands in the file itself",
        ]
    );
}

#[test]
fn a_rule_whose_source_is_missing_is_a_warning() {
    let policy = |rule: &str| {
        format!("[[policies]]\nname = \"only\"\ndecision = \"bypass\"\ninclude = [{{ {rule} }}]\n")
    };
    let told_of = |rule: &str, more: &str| told(load_small(&format!("{}{more}", policy(rule))));
    let geo = "geo = { country_code = \"SE\" }";
    assert_eq!(
        told_of(geo, ""),
        ["only: it asks for the country, which nobody tells: the rule is unknown and lets nobody in"]
    );
    let told_by_a_header = told_of(geo, "[geo]\ncountry_header = \"CF-IPCountry\"\n");
    assert_eq!(
        told_by_a_header,
        ["geo: no proxy is trusted, so nobody's country_header is believed"]
    );
    for rule in ["certificate = {}", "common_name = { common_name = \"laptop-1\" }"] {
        assert_eq!(
            told_of(rule, ""),
            [
                "only: it asks for client certificates, which take TLS that ends here: the rule is unknown and lets nobody in"
            ]
        );
    }
}

#[test]
fn what_is_written_and_never_asked_for_is_a_warning() {
    let policy = |rest: &str| {
        format!(
            "[[policies]]\nname = \"p\"\ndecision = \"allow\"\ninclude = [{{ everyone = {{}} }}]\n{rest}\n"
        )
    };
    let prompt = "purpose_justification_prompt = \"Which ticket?\"\n";
    let groups = "approval_groups = [{ email_addresses = [\"boss@example.com\"] }]\n";
    for (required, written, told) in [
        (
            "purpose_justification_required",
            prompt,
            "policies[0].purpose_justification_prompt: nobody is asked for a reason, so that nobody sees it",
        ),
        (
            "approval_required",
            groups,
            "policies[0].approval_groups: nobody needs leave, so that these are never asked",
        ),
    ] {
        assert_eq!(told_all(&policy(written)), [told]);
        assert_eq!(
            told_all(&policy(&format!("{required} = true\n{written}"))),
            Vec::<String>::new()
        );
        assert_eq!(
            told_all(&policy(&format!("{required} = false\n{written}"))),
            [told]
        );
    }
}

#[test]
fn what_tokens_are_to_hold_and_no_provider_tells_is_a_warning() {
    let told_of = |providers: &str, allowed: &str| {
        told_all(&format!(
            "{providers}[[applications]]\nname = \"a\"\ndomain = \"a.localhost\"\nallowed_idps = [{allowed}]\n\
             token_groups = \"names\"\ntoken_claims = [\"department\"]\n\
             policies = [{{ name = \"p\", decision = \"allow\", include = [{{ everyone = {{}} }}] }}]\n"
        ))
    };
    let both = [
        "applications[0].token_groups: no provider of this application reads groups, so that tokens hold none",
        "applications[0].token_claims[0]: no provider of this application copies the claim department, so that tokens lack it",
    ];
    assert_eq!(told_of(PROVIDER, ""), both);
    let copying = "config = { support_groups = true, claims = [\"department\"],";
    let copying = PROVIDER.replace("config = {", copying);
    assert_eq!(told_of(&copying, ""), Vec::<String>::new());
    // Another provider tells it: that is of use where the application takes its people.
    let two = format!("{PROVIDER}{}", copying.replace("Entra ID", "Other"));
    assert_eq!(told_of(&two, ""), Vec::<String>::new());
    assert_eq!(told_of(&two, "\"Entra ID\""), both);
}

#[test]
fn certificate_and_key_must_belong_together() {
    let (chain, _) = certificate("login.example.com");
    let (other_chain, other_key) = certificate("wiki.example.com");
    let text = SMALL
        .replace("http://login.localhost:8080", "https://login.example.com")
        .replace(
            "http = \"127.0.0.1:8080\"",
            "https = \"127.0.0.1:8443\"\ncertificates = [{ chain = \"a.crt\", key = \"b.key\" }]",
        );
    let mismatched = BTreeMap::from([("a.crt", chain), ("b.key", other_key.clone())]);
    assert_eq!(
        told(load_with(&text, &mismatched)),
        ["listen.certificates[0].key: the key does not belong to the certificate"]
    );
    let foreign = BTreeMap::from([("a.crt", other_chain), ("b.key", other_key)]);
    assert_eq!(
        told(load_with(&text, &foreign)),
        ["listen.certificates: no certificate is for the auth host login.example.com"]
    );
}

fn authority(name: &str) -> String {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap()
        .pem()
}

#[test]
fn a_country_has_one_source() {
    let geo = |lines: &str| format!("[geo]\n{lines}\n");
    assert_told([
        (geo(""), "geo: nobody tells the country"),
        (
            geo("database = \"a\"\ncountry_header = \"CF-IPCountry\""),
            "geo.country_header: a country has one source, not two",
        ),
        (
            geo("country_header = \"a b\""),
            "geo.country_header: \"a b\" is no header that a country could stand in",
        ),
        (
            geo("country_header = \"Cf-Access-Country\""),
            "geo.country_header: \"Cf-Access-Country\" is no header that a country could stand in",
        ),
        (
            geo("country_header = \"Cookie\""),
            "geo.country_header: \"Cookie\" is no header that a country could stand in",
        ),
    ]);
    let unreadable = told(load_small(&geo("database = \"/nowhere/country.mmdb\"")));
    assert!(
        unreadable[0].starts_with("geo.database: /nowhere/country.mmdb cannot be used"),
        "{unreadable:?}"
    );
    let no_database = told(load_small(&geo("database = \"/etc/hostname\"")));
    assert!(
        no_database[0].starts_with("geo.database: /etc/hostname cannot be used"),
        "{no_database:?}"
    );
    assert_eq!(
        told(load_small(&geo("country_header = \"CF-IPCountry\""))),
        ["geo: no proxy is trusted, so nobody's country_header is believed"]
    );
}

#[test]
fn authorities_of_client_certificates_become_documents() {
    let pem = authority("Laptops");
    let text = "[[certificates]]\nname = \"Laptops\"\ncertificate = { file = \"ca.pem\" }\n\
                associated_hostnames = [\"wiki.localhost\", \"*.example.com\"]\n";
    let files = BTreeMap::from([("ca.pem", pem.clone().into_bytes())]);
    let config = load_with(&format!("{SMALL}{text}"), &files).unwrap();
    let declared = config.declarations.resolve(&account());
    assert_eq!(declared[0].kind, DeclaredKind::Certificate);
    assert_eq!(
        declared[0].body,
        json!({"name": "Laptops", "certificate": pem, "associated_hostnames": ["wiki.localhost", "*.example.com"]})
    );
}

/// Abuse case 79.
#[test]
fn an_authority_that_cannot_be_read_refuses_start() {
    let with = |certificate: &str, hosts: &str| {
        format!(
            "[[certificates]]\nname = \"Laptops\"\ncertificate = {certificate}\nassociated_hostnames = {hosts}\n"
        )
    };
    let (leaf, _) = certificate("client");
    let (leaf, good) = (String::from_utf8(leaf).unwrap(), authority("Laptops"));
    let leaf_only = with(&format!("\"\"\"{leaf}\"\"\""), "[\"a.localhost\"]");
    assert_told([
        (
            leaf_only,
            "certificates[0].certificate: a certificate in it is not that of an authority (basic constraints, CA)",
        ),
        (
            with("\"nothing\"", "[\"a.localhost\"]"),
            "certificates[0].certificate: there is no certificate in it, or one that cannot be read: PEM with BEGIN CERTIFICATE is needed",
        ),
        (
            with(&format!("\"\"\"{good}\"\"\""), "[\"a.localhost/path\"]"),
            "certificates[0].associated_hostnames[0]: certificates are asked for by host, before there is a path",
        ),
    ]);
    let missing = told(load_small(&with("{ file = \"ca.pem\" }", "[\"a.localhost\"]")));
    assert!(
        missing[0].starts_with("certificates[0].certificate.file: ca.pem cannot be read"),
        "{missing:?}"
    );
}

#[test]
fn broken_toml_is_told_with_the_rest_but_nothing_is_called_missing() {
    let text = "[organization]\nname = \"a\"\nname = \"b\"\nauth_url = 3\n";
    let faults = told(load_with(text, &BTreeMap::new()));
    assert!(faults.contains(&": duplicate key".to_owned()), "{faults:?}");
    assert!(faults.contains(&"listen: missing".to_owned()), "{faults:?}");
    let faults = told(load_with("[organization\nname = 3\n", &BTreeMap::new()));
    assert!(
        !faults.iter().any(|fault| fault.ends_with("missing")),
        "{faults:?}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_fault() {
    let faults = load(Path::new("/nonexistent/vestibule.toml"), &env).unwrap_err();
    assert_eq!(faults.0.len(), 1);
    let faults = load(Path::new("/dev/zero"), &env).unwrap_err();
    assert_eq!(faults.0.len(), 1);
}

proptest! {
    #[test]
    fn no_text_makes_the_loader_panic(text in "(\\PC|\n){0,200}") {
        let _ = load_with(&text, &BTreeMap::new());
    }

    #[test]
    fn no_change_of_the_example_makes_the_loader_panic(at in 0..EXAMPLE.len(), cut in 0..60_usize, put in "[\\[\\]{}=\"',.a-z0-9\n]{0,6}") {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        bytes.splice(at..(at + cut).min(bytes.len()), put.bytes());
        let _ = load_with(&String::from_utf8_lossy(&bytes), &BTreeMap::new());
    }
}

#[test]
fn rules_that_can_hold_for_nobody_are_told() {
    let policy = |rest: &str| format!("[[policies]]\nname = \"p\"\ndecision = \"allow\"\n{rest}\n");
    let including = |rule: &str| policy(&format!("include = [{rule}]"));
    let leave = |groups: &str| {
        policy(&format!(
            "include = [{{ everyone = {{}} }}]\napproval_required = true\napproval_groups = [{groups}]"
        ))
    };
    assert_told([
        (
            including("{ geo = { country_code = \"UK\" } }"),
            "policies[0].include[0].geo.country_code: there is no country UK: a code of ISO 3166-1 alpha-2 is needed, such as SE or GB",
        ),
        (
            including("{ ip = { ip = \"010.0.0.0/8\" } }"),
            "policies[0].include[0].ip.ip: an address or a range such as 198.51.100.0/24 is needed",
        ),
        (
            leave("{ approvals_needed = 2, email_addresses = [\"a@example.com\", \"A@example.com\"] }"),
            "policies[0].approval_groups[0].approvals_needed: it is more than there are approvers",
        ),
    ]);
    let list = "[[lists]]\nname = \"team\"\ntype = \"EMAIL\"\nitems = [\"a@example.com\"]\n";
    let groups = "{ approvals_needed = 2, email_list = \"team\" }";
    assert_eq!(
        told(load_small(&format!("{list}{}", leave(groups)))),
        [
            "policies[0].approval_groups[0].approvals_needed: it is more than there are approvers on the list now, so that nobody can get leave"
        ]
    );
}

#[test]
fn rules_about_certificates_where_nobody_is_asked_for_one_are_told() {
    let objects = r#"
[[groups]]
name = "laptops"
include = [{ certificate = {} }]
[[policies]]
name = "by a group"
decision = "non_identity"
include = [{ group = { id = "laptops" } }]
[[applications]]
name = "A"
domain = "a.localhost"
policies = ["by a group"]
[[applications]]
name = "B"
domain = "b.localhost"
policies = [{ name = "own", decision = "non_identity", include = [{ common_name = { common_name = "x" } }] }]
[[applications]]
name = "C"
domain = "c.localhost"
policies = [{ name = "own", decision = "bypass", include = [{ everyone = {} }] }]
"#;
    let warned = |hosts: &str| {
        let declared = format!(
            "[[certificates]]\nname = \"Laptops\"\ncertificate = {{ file = \"ca.pem\" }}\nassociated_hostnames = [{hosts}]\n"
        );
        let files = BTreeMap::from([("ca.pem", authority("Laptops").into_bytes())]);
        let told = told(load_with(&format!("{SMALL}{objects}{declared}"), &files));
        // That there is no TLS here either is told of the rules.
        let of_applications = told.iter().filter(|told| told.starts_with("applications["));
        let keys = of_applications.map(|told| told.split(':').next().unwrap().to_owned());
        keys.collect::<Vec<_>>()
    };
    assert_eq!(warned("\"a.localhost\", \"b.localhost\""), [""; 0]);
    assert_eq!(warned("\"*.localhost\""), [""; 0]);
    assert_eq!(warned("\"a.localhost\""), ["applications[1].domain"]);
    assert_eq!(
        warned("\"c.localhost\""),
        ["applications[0].domain", "applications[1].domain"]
    );
}
