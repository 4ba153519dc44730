//! The edge of TLS: whose connection it is, resumption, early data, old versions (abuse case 79).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, NamedGroup};

use super::authority::Authority;
use crate::support::wire::{Dial, OwnCertificate};
use crate::support::world::World;

async fn world_with(hosts: &[&str]) -> (World, Authority) {
    let laptops = Authority::new("Laptops");
    let world = World::builder().tls().more(&laptops.at(hosts)).start().await;
    (world, laptops)
}

/// The status of a request for `host` over a connection made for `name`.
async fn status(dial: &Dial, name: &str, host: &str, path: &str) -> u16 {
    let mut wire = dial.connect(name).await;
    wire.send(format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{}\r\n\r\n",
        dial.address.port()
    ))
    .await;
    wire.reply().await.unwrap().status
}

#[tokio::test]
async fn a_host_that_takes_certificates_is_misdirected_on_another_hosts_connection() {
    let (world, laptops) = world_with(&["wiki.test"]).await;
    for dial in [world.dial(), world.dial().showing(&laptops.signs("laptop-1"))] {
        for (name, host, path, expected) in [
            ("wiki.test", "wiki.test", "/cdn-cgi/access/get-identity", 400),
            ("WIKI.test", "wiki.test", "/cdn-cgi/access/get-identity", 400),
            ("wiki.test", "WIKI.test.", "/cdn-cgi/access/get-identity", 400),
            ("other.test", "wiki.test", "/cdn-cgi/access/get-identity", 421),
            ("other.test", "WIKI.test.", "/cdn-cgi/access/get-identity", 421),
            ("login.test", "wiki.test", "/cdn-cgi/access/get-identity", 421),
            // The other way round nothing is asked for, and nothing is known.
            ("wiki.test", "other.test", "/cdn-cgi/access/get-identity", 400),
        ] {
            assert_eq!(status(&dial, name, host, path).await, expected, "{name} {host}");
        }
    }
}

/// Keeps what is needed to resume under one name for all hosts, as an attacker would.
#[derive(Debug)]
struct OneDrawer(ClientSessionMemoryCache);

impl OneDrawer {
    fn name() -> ServerName<'static> {
        ServerName::try_from("drawer.test").unwrap()
    }
}

impl ClientSessionStore for OneDrawer {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

/// What a finished exchange tells of its handshake.
struct Spoken {
    kind: HandshakeKind,
    early_data: bool,
    answer: String,
}

/// One request over a connection of its own, with bare TLS.
fn speak(config: &Arc<ClientConfig>, address: std::net::SocketAddr, name: &str) -> Spoken {
    let server = ServerName::try_from(name.to_owned()).unwrap();
    let mut tls = ClientConnection::new(Arc::clone(config), server).unwrap();
    let early_data = tls.early_data().is_some();
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    let head = format!(
        "GET /cdn-cgi/access/get-identity HTTP/1.1\r\nHost: {name}:{}\r\nConnection: close\r\n\r\n",
        address.port()
    );
    // Who is refused may learn so before the request is written.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Spoken {
        kind: tls.handshake_kind().unwrap(),
        early_data,
        answer: String::from_utf8_lossy(&answer).into_owned(),
    }
}

#[tokio::test]
async fn a_resumed_connection_brings_no_certificate_and_no_early_data() {
    let (world, laptops) = world_with(&["wiki.test"]).await;
    let dial = world.dial().showing(&laptops.signs("laptop-1"));
    let mut config = dial.tls(b"http/1.1");
    config.enable_early_data = true;
    config.resumption = Resumption::store(Arc::new(OneDrawer(ClientSessionMemoryCache::new(8))));
    let (config, address) = (Arc::new(config), dial.address);
    let kinds = tokio::task::spawn_blocking(move || {
        let kinds = ["other.test", "other.test", "wiki.test", "wiki.test", "other.test"].map(|name| {
            let spoken = speak(&config, address, name);
            assert!(
                spoken.answer.starts_with("HTTP/1.1 400"),
                "{name}: {}",
                spoken.answer
            );
            assert!(!spoken.early_data, "{name}");
            spoken.kind
        });
        kinds.map(|kind| kind == HandshakeKind::Resumed)
    });
    // Where no certificate is asked for connections are resumed, by their own tickets; where one is, the key is shown
    // each time.
    assert_eq!(kinds.await.unwrap(), [false, true, false, false, true]);
}

/// What a chain costs to look at is bounded before anything in it is read.
#[tokio::test]
async fn a_chain_that_is_longer_than_anybodys_ends_the_handshake() {
    let (world, laptops) = world_with(&["wiki.test"]).await;
    for (number, length, served) in [
        (4, 100, true),
        (5, 100, false),
        (1, 15_000, true),
        (1, 17_000, false),
    ] {
        let own = laptops.signs("laptop-1");
        let filler = CertificateDer::from(vec![0x30; length]);
        let fillers = std::iter::repeat_n(filler, number);
        let certificate = OwnCertificate {
            chain: own.chain.iter().cloned().chain(fillers).collect(),
            key: own.key.clone_key(),
        };
        let dial = world.dial().showing(&Arc::new(certificate));
        let (config, address) = (Arc::new(dial.tls(b"http/1.1")), dial.address);
        let spoken = tokio::task::spawn_blocking(move || speak(&config, address, "wiki.test"));
        let answer = spoken.await.unwrap().answer;
        let expected = if served { "HTTP/1.1 400" } else { "" };
        assert_eq!(
            answer.split(" Bad").next(),
            Some(expected),
            "{number} certificates of {length} bytes: {answer}"
        );
    }
}

#[tokio::test]
async fn tls_1_1_is_refused() {
    let (world, _) = world_with(&["wiki.test"]).await;
    let address = world.dial().address;
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let answer = tokio::task::spawn_blocking(move || {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        tcp.write_all(&hello).unwrap();
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        answer
    });
    let answer = answer.await.unwrap();
    // A fatal alert (RFC 8446 §6), and no handshake message.
    assert!(
        answer.is_empty() || (answer[0] == 21 && answer[5] == 2),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_client_hello_in_three_records_is_read_whole() {
    let (world, laptops) = world_with(&["wiki.test"]).await;
    let dial = world.dial().showing(&laptops.signs("laptop-1"));
    let config = Arc::new(dial.tls(b"http/1.1"));
    let address = dial.address;
    let answer = tokio::task::spawn_blocking(move || {
        let name = ServerName::try_from("wiki.test").unwrap();
        let mut tls = ClientConnection::new(config, name).unwrap();
        let mut first = Vec::new();
        tls.write_tls(&mut first).unwrap();
        let (head, message) = first.split_at(5);
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        for piece in message.chunks(message.len().div_ceil(3)) {
            let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
            tcp.write_all(&[&head[..3], &length, piece].concat()).unwrap();
            std::thread::sleep(Duration::from_millis(30));
        }
        let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
        let head = format!(
            "GET /cdn-cgi/access/get-identity HTTP/1.1\r\nHost: wiki.test:{}\r\nConnection: close\r\n\r\n",
            address.port()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    });
    let answer = answer.await.unwrap();
    // Asked for its certificate: otherwise the answer would be 421.
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}
