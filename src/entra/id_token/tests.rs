//! The table of ID tokens: every file of `tests/fixtures/entra/idtoken` with its verdict and the address it yields.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::*;
use crate::entra::email;
use crate::entra::keys::KeySet;
use crate::entra::testing::settings;

const NOW: i64 = 1_767_226_200;
const CLIENT: &str = "3f2b6a90-7c1d-4e58-9a0b-c1d2e3f40516";
const TENANT: &str = "72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60";
const ISSUER: &str = "https://login.microsoftonline.com/72a1c0de-4b5d-4e6f-8a90-1b2c3d4e5f60/v2.0";
const NONCE: &str = "n-0S6_WzA2Mj";
const ALICE: &str = "alice@corp.example";

const TENANT_KEYS: &str = include_str!("../../../tests/fixtures/entra/jwks/public_tenant_v2.json");
const COMMON_KEYS: &str = include_str!("../../../tests/fixtures/entra/jwks/public_common_v2.json");
const APP_KEYS: &str = include_str!("../../../tests/fixtures/entra/jwks/public_tenant_v2_appid.json");

enum Verdict {
    /// Accepted, with this address; `true` where rules may rely on it.
    Accept(&'static str, bool),
    /// Refused by this check.
    Reject(TokenRejected),
}
use TokenRejected as Check;
use Verdict::{Accept, Reject};

/// One row a file. The third column is the key set the file needs where it is not the tenant's own.
const TABLE: [(&str, Verdict, &str); 41] = [
    ("member_minimal", Accept(ALICE, true), TENANT_KEYS),
    ("member_email_scope", Accept(ALICE, true), TENANT_KEYS),
    (
        "member_no_profile_scope",
        Reject(Check::ObjectMissing),
        TENANT_KEYS,
    ),
    ("member_roles", Accept(ALICE, true), TENANT_KEYS),
    (
        "guest_b2b_entra",
        Accept("carol@partner.example", false),
        TENANT_KEYS,
    ),
    ("guest_msa", Accept("dave@outlook.example", false), TENANT_KEYS),
    ("guest_email_otp", Accept("dave@mail.example", false), TENANT_KEYS),
    ("groups_ids", Accept(ALICE, true), TENANT_KEYS),
    ("groups_names", Accept(ALICE, true), TENANT_KEYS),
    ("groups_mixed", Accept(ALICE, true), TENANT_KEYS),
    ("groups_overage", Accept(ALICE, true), TENANT_KEYS),
    ("groups_overage_hasgroups", Accept(ALICE, true), TENANT_KEYS),
    ("acrs_array", Accept(ALICE, true), TENANT_KEYS),
    ("acrs_many", Accept(ALICE, true), TENANT_KEYS),
    ("acrs_string", Accept(ALICE, true), TENANT_KEYS),
    ("custom_claims", Accept(ALICE, true), TENANT_KEYS),
    ("appid_custom_key", Accept(ALICE, true), APP_KEYS),
    ("edov_int", Accept(ALICE, true), TENANT_KEYS),
    ("edov_string", Accept(ALICE, true), TENANT_KEYS),
    // `email` is ceo@victim.example with xms_edov false: passed over.
    ("edov_false", Accept(ALICE, true), TENANT_KEYS),
    ("email_mismatch_noauth", Reject(Check::Tenant), COMMON_KEYS),
    ("personal_account", Reject(Check::Tenant), COMMON_KEYS),
    ("iss_template_literal", Reject(Check::Issuer), TENANT_KEYS),
    ("iss_v1", Reject(Check::Version), TENANT_KEYS),
    ("iss_no_tid", Reject(Check::TenantMalformed), TENANT_KEYS),
    ("iss_tid_mismatch", Reject(Check::Issuer), TENANT_KEYS),
    ("tid_not_guid", Reject(Check::TenantMalformed), TENANT_KEYS),
    ("dup_tid", Reject(Check::MemberRepeated), TENANT_KEYS),
    ("aud_other", Reject(Check::Audience), TENANT_KEYS),
    ("aud_array", Reject(Check::Audience), TENANT_KEYS),
    ("nonce_other", Reject(Check::Nonce), TENANT_KEYS),
    ("expired", Reject(Check::Expired), TENANT_KEYS),
    ("not_yet_valid", Reject(Check::NotYetValid), TENANT_KEYS),
    ("alg_none", Reject(Check::Algorithm), TENANT_KEYS),
    ("alg_hs256", Reject(Check::Algorithm), TENANT_KEYS),
    ("wrong_key_same_kid", Reject(Check::Signature), TENANT_KEYS),
    ("unknown_kid", Reject(Check::KeyUnknown), TENANT_KEYS),
    ("rollover_new_kid", Accept(ALICE, true), TENANT_KEYS),
    ("other_cloud_key", Reject(Check::KeyCloud), COMMON_KEYS),
    ("guest_tenant_usgov", Reject(Check::Issuer), TENANT_KEYS),
    // Accepted on a refresh only: see the test below.
    ("refresh_id_token", Reject(Check::Nonce), TENANT_KEYS),
];

#[test]
fn every_token_has_its_verdict_and_its_address() {
    for (name, verdict, keys) in &TABLE {
        let checked = check(&token(name), keys, BoundTo::Login { nonce: NONCE }, NOW);
        match (verdict, checked) {
            (Reject(expected), Err(reason)) => assert_eq!(reason, *expected, "{name}"),
            (Accept(address, trusted), Ok(id_token)) => {
                let settings = settings("https://login.microsoftonline.com");
                let guest = email::is_guest(id_token.claims(), settings.directory_id);
                let found = email::in_token(id_token.claims(), guest, &settings)
                    .email
                    .unwrap();
                assert_eq!(found.address.as_str(), *address, "{name}");
                assert_eq!(found.trusted, *trusted, "{name}: {}", found.address);
            }
            (Reject(expected), Ok(_)) => panic!("{name} is accepted, though {expected}"),
            (Accept(..), Err(reason)) => panic!("{name} is refused: {reason}"),
        }
    }
}

#[test]
fn the_table_lists_every_file() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/entra/idtoken");
    let files: BTreeSet<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let rows: BTreeSet<String> = TABLE.iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(rows, files);
}

#[test]
fn a_token_of_a_refresh_is_bound_to_the_person() {
    let alice = PersonKey {
        tenant: TENANT.parse().unwrap(),
        object: "0aa11bb2-2cc3-4dd4-8ee5-5ff66a77b88c".parse().unwrap(),
    };
    let other = PersonKey {
        object: "1bb22cc3-3dd4-4ee5-9ff6-6aa77b88c99d".parse().unwrap(),
        ..alice
    };
    let refreshed = |person| {
        let bound_to = BoundTo::Refresh { person };
        check(&token("refresh_id_token"), TENANT_KEYS, bound_to, NOW)
    };
    assert_eq!(refreshed(alice).unwrap().person(), alice);
    assert_eq!(refreshed(other).unwrap_err(), Check::OtherPerson);
}

#[test]
fn clocks_may_differ_by_five_minutes_and_no_more() {
    let jwt = token("member_minimal"); // valid from 1767225600 to 1767229500
    let at = |now| check(&jwt, TENANT_KEYS, BoundTo::Login { nonce: NONCE }, now).map(|_| ());
    assert_eq!(at(1_767_225_300), Ok(()));
    assert_eq!(at(1_767_225_299), Err(Check::NotYetValid));
    assert_eq!(at(1_767_229_799), Ok(()));
    assert_eq!(at(1_767_229_800), Err(Check::Expired));
}

#[test]
fn a_key_may_sign_only_for_its_own_issuer() {
    let mut keys: Value = serde_json::from_str(TENANT_KEYS).unwrap();
    keys["keys"][0]["issuer"] =
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0".into();
    let checked = check(
        &token("member_minimal"),
        &keys.to_string(),
        BoundTo::Login { nonce: NONCE },
        NOW,
    );
    assert_eq!(checked.unwrap_err(), Check::KeyIssuer);
}

#[test]
fn an_empty_nonce_matches_nothing() {
    let checked = check(
        &token("refresh_id_token"),
        TENANT_KEYS,
        BoundTo::Login { nonce: "" },
        NOW,
    );
    assert_eq!(checked.unwrap_err(), Check::Nonce);
}

#[test]
fn what_is_no_token_is_malformed() {
    let signed = token("member_minimal");
    let padded = signed.replacen('.', "=.", 1);
    let long = format!("{signed}{}", "A".repeat(MAX_LENGTH));
    for text in [
        "",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        padded.as_str(),
        long.as_str(),
    ] {
        assert_eq!(key_id(text).unwrap_err(), Check::Malformed, "{text:.40}");
    }
}

#[test]
fn every_changed_byte_of_the_signed_part_is_noticed() {
    let jwt = token("member_minimal");
    let signed = jwt.rfind('.').unwrap();
    for index in (0..signed).step_by(97) {
        let mut changed = jwt.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let checked = check(&changed, TENANT_KEYS, BoundTo::Login { nonce: NONCE }, NOW);
        assert!(checked.is_err(), "byte {index}");
    }
}

fn token(name: &str) -> String {
    let path = format!(
        "{}/tests/fixtures/entra/idtoken/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    file["jwt"].as_str().unwrap().to_owned()
}

fn check(jwt: &str, keys: &str, bound_to: BoundTo<'_>, now: i64) -> Result<IdToken, TokenRejected> {
    let expected = Expected {
        client_id: CLIENT,
        tenant: TENANT.parse().unwrap(),
        issuer: ISSUER,
        instance_name: Some("microsoftonline.com"),
        bound_to,
    };
    let kid = key_id(jwt)?;
    let key = KeySet::parse(keys.as_bytes())
        .unwrap()
        .find(&kid)
        .ok_or(Check::KeyUnknown)?;
    verify(jwt, &key, &expected, now)
}
