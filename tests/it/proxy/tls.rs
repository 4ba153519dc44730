//! TLS on both sides.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use vestibule::config::listen::CertificateFiles;

use super::gateway::Setup;
use super::wire::Upstream;

/// A self-signed certificate for some names, as files.
pub(super) struct Certificate {
    pub(super) files: CertificateFiles,
    pub(super) der: rustls_pki_types::CertificateDer<'static>,
}

impl Certificate {
    pub(super) fn write(folder: &Path, file: &str, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let files = CertificateFiles {
            chain: folder.join(format!("{file}.crt")),
            key: folder.join(format!("{file}.key")),
        };
        std::fs::write(&files.chain, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        Self {
            files,
            der: made.cert.der().clone(),
        }
    }
}

/// Shakes hands as a client that trusts these certificates.
pub(super) async fn connect(
    address: SocketAddr,
    name: &str,
    alpn: &[&str],
    trusted: &[&Certificate],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.der.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn get(stream: &mut TlsStream<TcpStream>) -> String {
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_certificate_is_the_one_for_the_host_asked_for() {
    let folder = TempDir::new().unwrap();
    let first = Certificate::write(folder.path(), "first", &["login.example.com"]);
    let wildcard = Certificate::write(folder.path(), "wildcard", &["*.apps.example.com"]);
    let upstream = Upstream::echo().await;
    let mut setup = Setup::to(upstream.address);
    setup.certificates = vec![first.files.clone(), wildcard.files.clone()];
    let gateway = setup.start();
    let address = gateway.https.unwrap();

    for (name, certificate) in [
        ("login.example.com", &first),
        ("wiki.apps.example.com", &wildcard),
    ] {
        let mut stream = connect(address, name, &["http/1.1"], &[certificate])
            .await
            .unwrap();
        let answer = get(&mut stream).await;
        assert!(answer.contains("x-forwarded-proto: https"), "{answer}");
    }
    // A host that none covers gets the first, and refuses it.
    assert!(
        connect(address, "other.example.com", &[], &[&first, &wildcard])
            .await
            .is_err()
    );
    let refused = connect(address, "127.0.0.1", &[], &[&first]).await.unwrap_err();
    assert!(refused.to_string().contains("login.example.com"), "{refused}");
}

#[tokio::test]
async fn changed_certificates_serve_new_connections_and_leave_open_ones() {
    let folder = TempDir::new().unwrap();
    let old = Certificate::write(folder.path(), "pair", &["app.example.com"]);
    let upstream = Upstream::echo().await;
    let mut setup = Setup::to(upstream.address);
    setup.certificates = vec![old.files.clone()];
    let gateway = setup.start();
    let address = gateway.https.unwrap();
    let mut open = connect(address, "app.example.com", &[], &[&old]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    std::fs::write(&old.files.chain, "half a certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert!(connect(address, "app.example.com", &[], &[&old]).await.is_ok());

    let new = Certificate::write(folder.path(), "pair", &["app.example.com"]);
    let mut tries = 0;
    while connect(address, "app.example.com", &[], &[&new]).await.is_err() {
        tries += 1;
        assert!(tries < 100, "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(get(&mut open).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_key_that_is_not_the_certificates_is_refused_at_start() {
    let folder = TempDir::new().unwrap();
    let one = Certificate::write(folder.path(), "one", &["a"]);
    let other = Certificate::write(folder.path(), "other", &["a"]);
    let mixed = CertificateFiles {
        chain: one.files.chain,
        key: other.files.key,
    };
    let refused = vestibule::listener::tls::Certificates::read(vec![mixed]).unwrap_err();
    assert!(
        refused.to_string().contains("cannot be used together"),
        "{refused}"
    );
}

/// An upstream over TLS, with a certificate for `inner.example.com`.
async fn tls_upstream(folder: &Path) -> (SocketAddr, Certificate) {
    let certificate = Certificate::write(folder, "upstream", &["inner.example.com"]);
    let chain = vec![certificate.der.clone()];
    let key = std::fs::read(&certificate.files.key).unwrap();
    let key = rustls_pki_types::pem::PemObject::from_pem_slice(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let name = stream.get_ref().1.server_name().unwrap_or("no name").to_owned();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (address, certificate)
}

#[tokio::test]
async fn an_upstreams_certificate_is_verified_by_name_and_authority() {
    let folder = TempDir::new().unwrap();
    let (address, certificate) = tls_upstream(folder.path()).await;
    for (name, own_authority, unverified, expected) in [
        (Some("inner.example.com"), true, false, "200 OK"),
        (Some("other.example.com"), true, false, "502 Bad Gateway"),
        (Some("inner.example.com"), false, false, "502 Bad Gateway"),
        (None, true, false, "502 Bad Gateway"),
        (None, false, true, "200 OK"),
    ] {
        let mut setup = Setup::to(address);
        setup.service = format!("https://{address}");
        setup.origin_request.origin_server_name = name.map(|name| name.parse().unwrap());
        setup.origin_request.ca_pool = own_authority.then(|| certificate.files.chain.clone());
        setup.origin_request.no_tls_verify = unverified;
        let gateway = setup.start();
        let mut client = gateway.client().await;
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let answer = client.message().await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {expected}")),
            "{name:?}: {answer}"
        );
        if expected == "200 OK" {
            assert!(answer.ends_with(name.unwrap_or("no name")), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_authority_file_that_is_not_there_is_an_internal_fault() {
    let folder = TempDir::new().unwrap();
    let (address, _) = tls_upstream(folder.path()).await;
    let mut setup = Setup::to(address);
    setup.service = format!("https://{address}");
    setup.origin_request.ca_pool = Some(folder.path().join("missing.pem"));
    let gateway = setup.start();
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = client.message().await;
    assert!(
        answer.starts_with("HTTP/1.1 502 ") && answer.contains("Internal: "),
        "{answer}"
    );
}

#[tokio::test]
async fn an_upstream_may_listen_on_a_unix_socket() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix")
            .await
            .unwrap();
    });
    let mut setup = Setup::to("127.0.0.1:1".parse().unwrap());
    setup.service = format!("unix:{}", path.display());
    let gateway = setup.start();
    let mut client = gateway.client().await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(client.message().await.ends_with("unix"));
}
