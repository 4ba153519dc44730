//! `[listen]`: addresses, certificates, and whose forwarding headers are believed.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use super::certificate;
use super::forward_auth::{self, ForwardAuth};
use super::tree::{Keys, Node, Table};
use crate::model::address::Network;
use crate::model::organization::AuthUrl;

/// Where the gateway listens. At least one of `http` and `https` is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Plain HTTP: development, or behind a TLS terminator.
    pub http: Option<SocketAddr>,
    /// TLS.
    pub https: Option<Https>,
    /// Peers whose forwarding headers are believed; nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Health and metrics, never on a public listener.
    pub internal: Option<SocketAddr>,
    /// Where other proxies ask whether a request may pass.
    pub forward_auth: Option<ForwardAuth>,
}

/// The TLS listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// Certificates by file, the first for clients that name no host. Never empty.
    pub certificates: Vec<CertificateFiles>,
}

/// A certificate and its key as PEM files. They matched when the configuration was read, and are read anew when
/// they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate followed by its intermediates.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

pub(super) const KEYS: Keys = Keys {
    known: &[
        "http",
        "https",
        "certificates",
        "trusted_proxies",
        "internal",
        "forward_auth",
    ],
    refused: &[],
};
pub(super) const CERTIFICATE_KEYS: Keys = Keys {
    known: &["chain", "key"],
    refused: &[],
};
const CERTIFICATES: &str =
    "write certificates = [{ chain = \"/etc/vestibule/tls.crt\", key = \"/etc/vestibule/tls.key\" }]";

pub(super) fn read(node: &Node<'_>, auth: Option<&AuthUrl>) -> Option<Listen> {
    let table = node.table(&KEYS)?;
    let plain_node = table.node("http");
    let tls_node = table.node("https");
    if plain_node.is_none() && tls_node.is_none() && !node.reader.incomplete {
        table.fault(
            "no listener",
            "write https = \"0.0.0.0:443\" with certificates, or http = \"127.0.0.1:8080\" behind a TLS terminator",
        );
    }
    let http = plain_node.as_ref().map(address);
    let https_address = tls_node.as_ref().map(address);
    let certificates = certificates(&table, tls_node.is_some(), auth);
    let proxies: Vec<Option<IpNet>> = table.list("trusted_proxies").iter().map(network).collect();
    let internal_node = table.node("internal");
    let internal = internal_node.as_ref().map(address);
    let forward_auth_node = table.node("forward_auth");
    let forward_auth = forward_auth_node.as_ref().map(forward_auth::read);

    if let (Some(node), Some(Some(address))) = (&plain_node, http)
        && !address.ip().is_loopback()
        && proxies.is_empty()
    {
        node.warn(
            "plain http on an address that others reach, and no trusted proxy",
            "listen on 127.0.0.1, or name the TLS terminator in trusted_proxies",
        );
    }
    if let (Some(node), Some(Some(address))) = (&internal_node, internal) {
        if address.ip().is_unspecified() {
            node.warn(
                "health and metrics on every address of this machine",
                "listen on 127.0.0.1 or close the port to others",
            );
        }
        if address.port() != 0 && [http, https_address].contains(&Some(Some(address))) {
            node.fault("this address is taken by another listener", "choose another port");
        }
    }
    if let (Some(node), Some(Some(forward_auth))) = (&forward_auth_node, &forward_auth) {
        let address = forward_auth.address;
        if address.port() != 0 && [http, https_address, internal].contains(&Some(Some(address))) {
            node.fault("this address is taken by another listener", "choose another port");
        }
    }
    if let (Some(node), Some(Some(plain)), Some(Some(tls))) = (&plain_node, http, https_address)
        && plain == tls
        && plain.port() != 0
    {
        node.fault("this address is taken by another listener", "choose another port");
    }
    if let (Some(node), None, Some(auth)) = (&tls_node, &plain_node, auth)
        && !auth.is_https()
    {
        node.fault(
            "auth_url starts with http://, but only https is listened on",
            "let auth_url start with https://",
        );
    }

    let https = match https_address {
        Some(address) => Some(Https {
            address: address?,
            certificates: certificates?,
        }),
        None => None,
    };
    Some(Listen {
        http: settled(http)?,
        https,
        trusted_proxies: proxies.into_iter().collect::<Option<_>>()?,
        internal: settled(internal)?,
        forward_auth: settled(forward_auth)?,
    })
}

/// What is absent is settled; what was written wrongly is not.
#[expect(
    clippy::option_option,
    reason = "absent, written wrongly and written well are three things"
)]
fn settled<T>(written: Option<Option<T>>) -> Option<Option<T>> {
    match written {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}

pub(super) fn address(node: &Node<'_>) -> Option<SocketAddr> {
    let text = node.text()?;
    let address = text.parse().ok();
    if address.is_none() {
        node.fault(
            format!("\"{text}\" is no address with a port"),
            "write 0.0.0.0:443, 127.0.0.1:8080 or [::]:443",
        );
    }
    address
}

pub(super) fn network(node: &Node<'_>) -> Option<IpNet> {
    let text = node.text()?;
    let network = text.parse::<Network>().ok().map(|network| network.0);
    if network.is_none() {
        node.fault(
            format!("\"{text}\" is no network"),
            "write a CIDR such as 10.0.0.0/8 or fd00::/8",
        );
    }
    network
}

fn certificates(table: &Table<'_>, https: bool, auth: Option<&AuthUrl>) -> Option<Vec<CertificateFiles>> {
    if !https {
        if let Some(node) = table.node("certificates") {
            node.fault(
                "certificates without https",
                "write https = \"0.0.0.0:443\" or leave them out",
            );
        }
        return None;
    }
    let node = table.need("certificates", CERTIFICATES)?;
    let entries = node.array()?;
    if entries.is_empty() {
        node.fault("https needs a certificate", CERTIFICATES);
        return None;
    }
    let read: Vec<_> = entries.iter().map(|entry| certificate_files(entry)).collect();
    let read = read.into_iter().collect::<Option<Vec<_>>>()?;
    if let Some(auth) = auth
        && !read.iter().any(|(_, pair)| pair.covers(auth.host()))
    {
        node.warn(
            format!("no certificate is for the auth host {}", auth.host()),
            "add one that is",
        );
    }
    Some(read.into_iter().map(|(files, _)| files).collect())
}

fn certificate_files(node: &Node<'_>) -> Option<(CertificateFiles, certificate::Pair)> {
    let table = node.table(&CERTIFICATE_KEYS)?;
    let chain = table.need(
        "chain",
        "name the PEM file of the certificate and its intermediates",
    );
    let key = table.need("key", "name the PEM file of the private key");
    let (chain, key) = (chain?, key?);
    let pair = certificate::pair_of_files(&chain, &key)?;
    let files = CertificateFiles {
        chain: node.reader.path(chain.text()?),
        key: node.reader.path(key.text()?),
    };
    Some((files, pair))
}
