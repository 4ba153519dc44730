use uuid::Uuid;

use super::*;
use crate::crypto::seal::Sealer;
use crate::model::service_token::{PreviousSecret, SecretHash, ServiceToken, TokenLife};

const ID: &str = "0123456789abcdef0123456789abcdef.access";
const SECRET: &str = "cfast_0123456789abcdefghijABCDEFGHIJ0123456789abcdef01";
const OLD: &str = "cfast_abcdefghijABCDEFGHIJ01234567890123456789fedcba10";
const NOW: i64 = 1_767_226_200_000;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let line = |(name, value): &(&'static str, &str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        )
    };
    lines.iter().map(line).collect()
}

fn hash(secret: &str) -> SecretHash {
    SecretHash(sha256(secret.as_bytes()))
}

/// A token whose previous secret is good for a minute.
fn tokens(change: impl FnOnce(&mut ServiceToken)) -> ServiceTokens {
    let mut token = ServiceToken {
        id: ServiceTokenId(Uuid::from_u128(1)),
        name: "CI".to_owned(),
        client_id: ID.parse().unwrap(),
        duration: TokenLife::default(),
        enabled: true,
        expires_ms: NOW + 3_600_000,
        secret_version: 2,
        secret: hash(SECRET),
        previous: Some(PreviousSecret {
            secret: hash(OLD),
            until_ms: NOW + 60_000,
        }),
    };
    change(&mut token);
    ServiceTokens::of(
        [token],
        &Sealer::new(vec![7; 32].into(), "0123456789abcdef0123456789abcdef"),
    )
}

fn pair<'a>(client_id: &'a str, secret: &'a str) -> Pair<'a> {
    Pair {
        client_id: Cow::Borrowed(client_id.as_bytes()),
        secret: Cow::Borrowed(secret.as_bytes()),
    }
}

fn good(tokens: &ServiceTokens, secret: &str, now_ms: i64) -> bool {
    prove(tokens, &pair(ID, secret), now_ms).is_ok()
}

#[test]
fn a_token_is_proven_by_its_secret_until_it_ends() {
    let tokens = tokens(|_| {});
    assert!(good(&tokens, SECRET, NOW));
    assert!(good(&tokens, SECRET, NOW + 3_599_999));
    assert!(!good(&tokens, SECRET, NOW + 3_600_000));
}

#[test]
fn the_secret_before_is_good_for_its_grace() {
    let tokens = tokens(|_| {});
    let proven = prove(&tokens, &pair(ID, OLD), NOW).unwrap();
    assert_eq!(proven.until_ms(), NOW + 60_000);
    assert!(!good(&tokens, OLD, NOW + 60_000));
    assert!(proven.again(&tokens, NOW + 59_999).is_some());
    assert!(proven.again(&tokens, NOW + 60_000).is_none());
}

#[test]
fn a_token_that_was_disabled_rotated_or_deleted_proves_nothing_more() {
    let proven = prove(&tokens(|_| {}), &pair(ID, SECRET), NOW).unwrap();
    for (what, after) in [
        ("disabled", tokens(|token| token.enabled = false)),
        (
            "rotated without grace",
            tokens(|token| {
                token.secret = hash("another");
                token.previous = None;
            }),
        ),
        ("over", tokens(|token| token.expires_ms = NOW)),
        (
            "called otherwise",
            tokens(|token| token.client_id = format!("{}.access", "f".repeat(32)).parse().unwrap()),
        ),
        ("deleted", ServiceTokens::default()),
    ] {
        assert!(proven.again(&after, NOW).is_none(), "{what}");
        assert!(!good(&after, SECRET, NOW), "{what}");
    }
    let rotated = tokens(|token| {
        token.secret = hash("another");
        token.previous = Some(PreviousSecret {
            secret: hash(SECRET),
            until_ms: NOW + 1,
        });
    });
    assert_eq!(proven.again(&rotated, NOW).unwrap().until_ms(), NOW + 1);
}

/// Abuse case 91.
#[test]
fn a_secret_has_one_spelling() {
    let tokens = tokens(|_| {});
    for other in [
        &SECRET[..SECRET.len() - 1],
        &format!("{SECRET}0"),
        &format!(" {SECRET}"),
        &format!("{SECRET} "),
        &format!("{SECRET}\0"),
        &SECRET.to_uppercase(),
        &SECRET.replace("cfast_", ""),
        &SECRET.repeat(20),
        "",
    ] {
        assert!(!good(&tokens, other, NOW), "{other:?}");
    }
    for client_id in [
        &ID.to_uppercase(),
        &ID[..32],
        &format!("{ID} "),
        &format!("{ID}.example.com"),
        "",
    ] {
        let refused = prove(&tokens, &pair(client_id, SECRET), NOW).unwrap_err();
        assert_eq!(refused.token, None, "{client_id:?}");
    }
}

#[test]
fn two_headers_make_a_pair_and_half_of_one_does_not() {
    let (id, secret) = (("cf-access-client-id", ID), ("cf-access-client-secret", SECRET));
    assert!(matches!(shown(&headers(&[]), None), Shown::Nothing));
    assert!(matches!(shown(&headers(&[id, secret]), None), Shown::Pair(shown) if shown == pair(ID, SECRET)));
    for half in [&[id][..], &[secret], &[id, id, secret], &[id, secret, secret]] {
        assert!(
            matches!(shown(&headers(half), None), Shown::Malformed),
            "{half:?}"
        );
    }
}

#[test]
fn one_header_holds_both_parts_in_one_spelling() {
    let name: CredentialHeader = "X-Service-Token".parse().unwrap();
    let written = format!(r#"{{"cf-access-client-id":"{ID}","cf-access-client-secret":"{SECRET}"}}"#);
    let read = |value: &str| match shown(&headers(&[("x-service-token", value)]), Some(&name)) {
        Shown::Pair(shown) => Some(shown == pair(ID, SECRET)),
        _ => None,
    };
    assert_eq!(read(&written), Some(true));
    assert_eq!(read(&written.replace(':', " : ")), Some(true));
    for value in [
        written.replace("cf-access-client-id", "CF-Access-Client-Id"),
        written.replace('}', r#","more":1}"#),
        written.replace('}', r#","cf-access-client-id":"x"}"#),
        format!("{written}x"),
        format!("[{written}]"),
        r#"{"cf-access-client-id":"x"}"#.to_owned(),
        r#"{"cf-access-client-id":1,"cf-access-client-secret":2}"#.to_owned(),
        String::new(),
        written.replace(SECRET, &SECRET.repeat(10)),
    ] {
        let sent = headers(&[("x-service-token", &value)]);
        assert!(matches!(shown(&sent, Some(&name)), Shown::Malformed), "{value}");
    }
    // Without the setting it is a header as any other.
    assert!(matches!(
        shown(&headers(&[("x-service-token", &written)]), None),
        Shown::Nothing
    ));
    let twice = headers(&[("x-service-token", &written), ("x-service-token", &written)]);
    assert!(matches!(shown(&twice, Some(&name)), Shown::Malformed));
}

#[test]
fn two_carriers_must_agree() {
    let name: CredentialHeader = "x-token".parse().unwrap();
    let both = |secret: &str| {
        let written = format!(r#"{{"cf-access-client-id":"{ID}","cf-access-client-secret":"{secret}"}}"#);
        headers(&[
            ("cf-access-client-id", ID),
            ("cf-access-client-secret", SECRET),
            ("x-token", &written),
        ])
    };
    assert!(matches!(shown(&both(SECRET), Some(&name)), Shown::Twice(_)));
    assert!(matches!(shown(&both(OLD), Some(&name)), Shown::Malformed));
}

#[test]
fn other_credentials_in_authorization_are_the_applications_own() {
    let name: CredentialHeader = "Authorization".parse().unwrap();
    let names = [AUTHORIZATION];
    for own in ["Basic YTpi", "Bearer x", "x"] {
        let mut sent = headers(&[("authorization", own)]);
        assert!(matches!(shown(&sent, Some(&name)), Shown::Nothing), "{own}");
        strip(&mut sent, &names);
        assert_eq!(sent["authorization"], own);
    }
    let mut sent = headers(&[("authorization", r#" {"cf-access-client-id":"x"}"#)]);
    assert!(matches!(shown(&sent, Some(&name)), Shown::Malformed));
    strip(&mut sent, &names);
    assert!(sent.is_empty());
}

#[test]
fn a_header_with_credentials_goes_whatever_its_punctuation() {
    let mut sent = headers(&[
        ("x-service-token", "1"),
        ("x_service_token", "2"),
        ("x-service-tokens", "3"),
    ]);
    strip(&mut sent, &["x-service-token".parse().unwrap()]);
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["x-service-tokens"]);
}

#[test]
fn neither_credentials_nor_marks_tell_the_secret() {
    let told = format!(
        "{:?}",
        shown(
            &headers(&[("cf-access-client-id", ID), ("cf-access-client-secret", SECRET)]),
            None
        )
    );
    assert!(!told.contains(SECRET), "{told}");
    let tokens = tokens(|_| {});
    let proven = prove(&tokens, &pair(ID, SECRET), NOW).unwrap();
    let mark = String::from(proven.mark());
    assert_eq!(mark.len(), 16);
    assert!(!crate::crypto::digest::sha256_hex(SECRET.as_bytes()).starts_with(&mark));
    assert_eq!(SecretMark::try_from(mark), Ok(proven.mark()));
}
