use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use uuid::Uuid;

use super::*;
use crate::model::ids::AuthorityId;
use crate::router::Found;

/// 15 June 2026.
const NOW: i64 = 1_781_481_600_000;
const YEAR: i64 = 365 * 24 * 3600 * 1000;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn named(name: &str, from: i32, to: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn ca(name: &str, from: i32, to: i32) -> CertificateParams {
    let mut params = named(name, from, to);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root(name: &str) -> Issuer {
    CertifiedIssuer::self_signed(ca(name, 2020, 2040), KeyPair::generate().unwrap()).unwrap()
}

fn leaf(params: &CertificateParams, by: &Issuer) -> CertificateDer<'static> {
    let made = params.signed_by(&KeyPair::generate().unwrap(), by).unwrap();
    made.der().clone()
}

fn authorities(of: &[&Issuer]) -> ClientAuthorities {
    ClientAuthorities::new(of.iter().map(|one| one.der().as_ref()), false)
}

fn verified(authorities: &ClientAuthorities, chain: &[CertificateDer<'_>]) -> Option<VerifiedCertificate> {
    match authorities.judge(chain, NOW) {
        ClientCertificate::Verified(verified) => Some(verified.as_ref().clone()),
        ClientCertificate::Absent => None,
        ClientCertificate::Unknown => panic!("all authorities are known"),
    }
}

#[test]
fn a_certificate_counts_where_its_authority_is_trusted() {
    let (own, other) = (root("own"), root("other"));
    let client = leaf(&named("laptop-1", 2026, 2027), &own);
    let found = verified(&authorities(&[&other, &own]), std::slice::from_ref(&client)).unwrap();
    assert_eq!(found.common_name.as_deref(), Some("laptop-1"));
    assert_eq!(found.issuer, "CN=own");
    assert!(found.expires_ms > NOW && found.expires_ms < NOW + YEAR);
    assert_eq!(found.fingerprint.len(), 64);
    assert_eq!(verified(&authorities(&[&other]), &[client]), None);
    assert_eq!(verified(&authorities(&[&own]), &[]), None);
}

#[test]
fn an_authority_of_the_same_name_is_not_the_same() {
    let (own, namesake) = (root("own"), root("own"));
    let client = leaf(&named("laptop-1", 2026, 2027), &namesake);
    assert_eq!(verified(&authorities(&[&own]), &[client]), None);
}

#[test]
fn time_counts_for_every_certificate_of_the_way() {
    let own = root("own");
    for (from, to) in [(2020, 2026), (2027, 2028)] {
        let client = leaf(&named("laptop-1", from, to), &own);
        assert_eq!(verified(&authorities(&[&own]), &[client]), None, "{from} to {to}");
    }
    // An authority that has ended signs for nobody, although the client's certificate is still good.
    let ended = CertifiedIssuer::self_signed(ca("ended", 2020, 2026), KeyPair::generate().unwrap()).unwrap();
    let client = leaf(&named("laptop-1", 2025, 2030), &ended);
    assert_eq!(verified(&authorities(&[&ended]), &[client]), None);
}

#[test]
fn it_counts_no_longer_than_what_stands_above_it() {
    let own = CertifiedIssuer::self_signed(ca("own", 2020, 2029), KeyPair::generate().unwrap()).unwrap();
    let between =
        CertifiedIssuer::signed_by(ca("between", 2020, 2028), KeyPair::generate().unwrap(), &own).unwrap();
    let client = leaf(&named("laptop-1", 2026, 2035), &between);
    let chain = [client.clone(), between.der().clone()];
    let found = verified(&authorities(&[&own]), &chain).unwrap();
    let begin_of_2028 = date_time_ymd(2028, 1, 1).unix_timestamp() * 1000;
    assert_eq!(found.expires_ms, begin_of_2028);
    // Without the certificate between there is no way to the authority.
    assert_eq!(verified(&authorities(&[&own]), &[client]), None);
}

#[test]
fn what_is_not_a_clients_certificate_does_not_count() {
    let own = root("own");
    let mut server = named("server", 2026, 2027);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(verified(&authorities(&[&own]), &[leaf(&server, &own)]), None);
    let mut client = named("client", 2026, 2027);
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert!(verified(&authorities(&[&own]), &[leaf(&client, &own)]).is_some());
    // A client's certificate signs no others.
    let key = KeyPair::generate().unwrap();
    let no_authority = CertifiedIssuer::signed_by(named("client", 2026, 2027), key, &own).unwrap();
    let forged = leaf(&named("admin", 2026, 2027), &no_authority);
    assert_eq!(
        verified(&authorities(&[&own]), &[forged, no_authority.der().clone()]),
        None
    );
    assert_eq!(
        verified(&authorities(&[&own]), &[CertificateDer::from(&b"nonsense"[..])]),
        None
    );
}

#[test]
fn while_an_authority_cannot_be_read_no_certificate_is_known_not_to_be_its() {
    let (own, other) = (root("own"), root("other"));
    let incomplete = ClientAuthorities::new(std::iter::once(own.der().as_ref()), true);
    let of_other = leaf(&named("laptop-1", 2026, 2027), &other);
    assert_eq!(incomplete.judge(&[of_other], NOW), ClientCertificate::Unknown);
    assert_eq!(incomplete.judge(&[], NOW), ClientCertificate::Absent);
    let of_own = leaf(&named("laptop-1", 2026, 2027), &own);
    assert!(matches!(
        incomplete.judge(&[of_own], NOW),
        ClientCertificate::Verified(_)
    ));
}

#[test]
fn the_digest_tells_sets_of_authorities_apart() {
    let (one, two) = (root("one"), root("two"));
    let both = authorities(&[&one, &two]);
    assert_eq!(both.digest(), authorities(&[&two, &one, &one]).digest());
    assert_ne!(both.digest(), authorities(&[&one]).digest());
}

#[test]
fn the_most_specific_host_pattern_has_its_own_authorities() {
    let (one, two, three) = (root("one"), root("two"), root("three"));
    let authority = |of: &Issuer, hosts: &[&str]| Authority {
        id: AuthorityId(Uuid::new_v4()),
        name: "x".to_owned(),
        certificates: vec![of.der().to_vec()],
        hostnames: hosts.iter().map(|host| host.parse().unwrap()).collect(),
    };
    let table = by_host(
        &[
            authority(&one, &["*.example.com"]),
            authority(&two, &["wiki.example.com"]),
            authority(&three, &["wiki.example.com", "*.example.com"]),
        ],
        false,
    );
    let takes = |host: &str, of: &Issuer| {
        let client = leaf(&named("x", 2026, 2027), of);
        match table.find(&host.parse().unwrap(), "/") {
            Found::Match(authorities) => verified(authorities, &[client]).is_some(),
            Found::HostOnly | Found::None => false,
        }
    };
    let of_host = |host| [takes(host, &one), takes(host, &two), takes(host, &three)];
    assert_eq!(of_host("wiki.example.com"), [false, true, true]);
    assert_eq!(of_host("other.example.com"), [true, false, true]);
    assert_eq!(of_host("example.com"), [false, false, false]);
}

#[test]
fn a_chain_that_is_longer_than_anybodys_does_not_count() {
    let own = root("own");
    let client = leaf(&named("laptop-1", 2026, 2027), &own);
    let chain = |number: usize, length: usize| -> Vec<CertificateDer<'static>> {
        let filler = CertificateDer::from(vec![0x30; length]);
        let fillers = std::iter::repeat_n(filler, number);
        std::iter::once(client.clone()).chain(fillers).collect()
    };
    let counts = |chain: &[CertificateDer<'_>]| verified(&authorities(&[&own]), chain).is_some();
    assert!(counts(&chain(4, 100)));
    assert!(!counts(&chain(5, 100)));
    assert!(counts(&chain(1, 15 * 1024)));
    assert!(!counts(&chain(1, 16 * 1024)));
    assert!(!counts(&chain(4, 4 * 1024)));
}
