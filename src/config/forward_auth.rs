//! `[listen] forward_auth`: where other proxies ask whether a request may pass, which ones may, and their secret.

use std::net::SocketAddr;

use ipnet::IpNet;
use secrecy::{ExposeSecret as _, SecretString};

use super::listen::{address, network};
use super::secret;
use super::tree::{Keys, Node};

/// The listener for proxies that ask. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct ForwardAuth {
    /// Where it listens.
    pub address: SocketAddr,
    /// The proxies that may ask, by the address of their socket. Never empty.
    pub peers: Vec<IpNet>,
    /// What they prove themselves with: visible ASCII, so that it fits into a header field.
    pub secret: SecretString,
}

impl PartialEq for ForwardAuth {
    /// Both sides come from the file's owner: there is nobody to hide the time of a comparison from.
    fn eq(&self, other: &Self) -> bool {
        self.address == other.address
            && self.peers == other.peers
            && self.secret.expose_secret() == other.secret.expose_secret()
    }
}

impl Eq for ForwardAuth {}

pub(super) const KEYS: Keys = Keys {
    known: &["address", "peers", "secret"],
    refused: &[],
};
const PEERS: &str = "name the proxies that may ask: peers = [\"127.0.0.1/32\"]";
const SECRET: &str = "make one with: openssl rand -hex 32";

/// The shortest secret, in characters: 64 bits if it is random hexadecimal, and guesses come over the network.
const SHORTEST: usize = 16;
/// The longest: as much as proxies take in one line of their configuration without ado.
const LONGEST: usize = 256;

pub(super) fn read(node: &Node<'_>) -> Option<ForwardAuth> {
    let table = node.table(&KEYS)?;
    let address_node = table.need("address", "write address = \"127.0.0.1:9091\"");
    let address = address_node.as_ref().and_then(address);
    let peers = table.need("peers", PEERS).and_then(|node| peers(&node));
    let secret = table
        .need("secret", "write secret = { env = \"FORWARD_AUTH_SECRET\" }")
        .and_then(|node| secret_of(&node));
    if let (Some(node), Some(address)) = (&address_node, address)
        && address.ip().is_unspecified()
    {
        node.warn(
            "forward-auth on every address of this machine",
            "listen on 127.0.0.1 or on the network that the proxy shares: what is said there is not encrypted",
        );
    }
    Some(ForwardAuth {
        address: address?,
        peers: peers?,
        secret: secret?,
    })
}

fn peers(node: &Node<'_>) -> Option<Vec<IpNet>> {
    let entries = node.array()?;
    if entries.is_empty() {
        node.fault("nobody may ask", PEERS);
        return None;
    }
    let read: Vec<_> = entries.iter().map(peer).collect();
    read.into_iter().collect()
}

fn peer(node: &Node<'_>) -> Option<IpNet> {
    let network = network(node)?;
    if network.prefix_len() == 0 {
        node.fault("this lets everybody ask", PEERS);
        return None;
    }
    Some(network)
}

fn secret_of(node: &Node<'_>) -> Option<SecretString> {
    let secret = secret::text(node)?;
    let text = secret.expose_secret();
    let reason = if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the secret has characters that no header field can carry".to_owned()
    } else if text.len() < SHORTEST {
        format!("the secret is shorter than {SHORTEST} characters")
    } else if text.len() > LONGEST {
        format!("the secret is longer than {LONGEST} characters")
    } else {
        return Some(secret);
    };
    node.fault(reason, SECRET);
    None
}
