//! `[outbound]`: which addresses besides public ones the gateway itself may call.

use ipnet::IpNet;

use super::listen::network;
use super::tree::{Keys, Node};

/// What requests of the gateway's own accord may reach.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboundConfig {
    /// Networks that addresses in objects (external evaluations) may lead to, though they are not public.
    pub allow: Vec<IpNet>,
}

pub(super) const KEYS: Keys = Keys {
    known: &["allow"],
    refused: &[],
};

pub(super) fn read(node: &Node<'_>) -> Option<OutboundConfig> {
    let table = node.table(&KEYS)?;
    let allow: Vec<Option<IpNet>> = table.list("allow").iter().map(opened).collect();
    Some(OutboundConfig {
        allow: allow.into_iter().collect::<Option<_>>()?,
    })
}

fn opened(node: &Node<'_>) -> Option<IpNet> {
    let network = network(node)?;
    if network.prefix_len() == 0 {
        node.fault(
            "it takes the whole wall down",
            "name the networks that are really called, such as 10.20.0.0/16",
        );
        return None;
    }
    Some(network)
}
