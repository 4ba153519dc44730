//! The Microsoft clouds, and `[clouds.NAME]` for clouds of one's own.
//!
//! Hosts: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>,
//! <https://learn.microsoft.com/graph/deployments>; the two sovereign clouds of 2026 stand only in Microsoft's
//! libraries (MSAL.NET, `KnownMetadataProvider`).

use std::collections::BTreeMap;

use url::Url;

use super::tree::{Keys, Node};
use crate::model::host::Host;
use crate::model::idp::Cloud;

/// The key of the worldwide cloud, which providers are in unless they say otherwise.
pub const DEFAULT: &str = "default";

/// `key`, other spellings, login host, Graph host, `cloud_instance_name`, audience of federated credentials.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
    Option<&'static str>,
    &'static str,
);

const CLOUDS: &[Row] = &[
    (
        DEFAULT,
        &["public"],
        "login.microsoftonline.com",
        "graph.microsoft.com",
        Some("microsoftonline.com"),
        PUBLIC_AUDIENCE,
    ),
    (
        "us_gov",
        &["usgov"],
        "login.microsoftonline.us",
        "graph.microsoft.us",
        Some("microsoftonline.us"),
        "api://AzureADTokenExchangeUSGov",
    ),
    (
        "us_gov_dod",
        &["usgov_dod"],
        "login.microsoftonline.us",
        "dod-graph.microsoft.us",
        Some("microsoftonline.us"),
        "api://AzureADTokenExchangeUSGov",
    ),
    (
        "china",
        &[],
        "login.partner.microsoftonline.cn",
        "microsoftgraph.chinacloudapi.cn",
        Some("partner.microsoftonline.cn"),
        "api://AzureADTokenExchangeChina",
    ),
    (
        "fr_bleu",
        &[],
        "login.sovcloud-identity.fr",
        "graph.svc.sovcloud.fr",
        None,
        PUBLIC_AUDIENCE,
    ),
    (
        "de_delos",
        &[],
        "login.sovcloud-identity.de",
        "graph.svc.sovcloud.de",
        None,
        PUBLIC_AUDIENCE,
    ),
];

const PUBLIC_AUDIENCE: &str = "api://AzureADTokenExchange";

/// Clouds that Microsoft knows and that cannot be chosen, with the reason.
pub(super) const UNAVAILABLE: &[(&str, &str)] = &[
    ("germany", "Microsoft closed this cloud on 29 October 2021"),
    ("germany_legacy", "Microsoft closed this cloud on 29 October 2021"),
    (
        "sg_gov",
        "the address of Graph in this cloud is not public: give it as a cloud of your own",
    ),
];

/// Microsoft's clouds by each name that `azure_cloud` may give them. Closed ones are not among them.
pub fn builtin() -> BTreeMap<String, Cloud> {
    let mut clouds = BTreeMap::new();
    for &(key, aliases, login, graph, instance_name, federation_audience) in CLOUDS {
        let (Ok(login), Ok(graph)) = (https(login), https(graph)) else {
            continue; // A test holds that every row parses.
        };
        let cloud = Cloud {
            key: key.to_owned(),
            login,
            graph,
            instance_name: instance_name.map(str::to_owned),
            federation_audience: federation_audience.to_owned(),
        };
        for &alias in aliases {
            clouds.insert(alias.to_owned(), cloud.clone());
        }
        clouds.insert(key.to_owned(), cloud);
    }
    clouds
}

fn https(host: &str) -> Result<Url, url::ParseError> {
    format!("https://{host}").parse()
}

pub(super) const KEYS: Keys = Keys {
    known: &["login", "graph", "instance_name", "federation_audience"],
    refused: &[],
};

/// Adds the clouds of the file to Microsoft's.
pub(super) fn read(node: &Node<'_>, clouds: &mut BTreeMap<String, Cloud>) -> Option<()> {
    let mut complete = true;
    for (name, node) in node.any_table()?.nodes() {
        if clouds.contains_key(name) || UNAVAILABLE.iter().any(|(closed, _)| *closed == name) {
            node.fault("this name is one of Microsoft's clouds", "choose another name");
            complete = false;
        } else if let Some(cloud) = own(name, &node) {
            clouds.insert(name.to_owned(), cloud);
        } else {
            complete = false;
        }
    }
    complete.then_some(())
}

fn own(name: &str, node: &Node<'_>) -> Option<Cloud> {
    let table = node.table(&KEYS)?;
    let login = table
        .need("login", "write login = \"https://login.example.com\"")
        .and_then(|node| base_address(&node));
    let graph = table
        .need("graph", "write graph = \"https://graph.example.com\"")
        .and_then(|node| base_address(&node));
    let instance_name = table.node("instance_name").map(|node| node.name());
    let audience = table
        .node("federation_audience")
        .map_or(Some(PUBLIC_AUDIENCE), |node| node.name());
    Some(Cloud {
        key: name.to_owned(),
        login: login?,
        graph: graph?,
        instance_name: instance_name.map_or(Some(None), |name| name.map(|name| Some(name.to_owned())))?,
        federation_audience: audience?.to_owned(),
    })
}

/// Secrets and identities travel there: https, or a loopback address for tests and the demo.
fn base_address(node: &Node<'_>) -> Option<Url> {
    let mend = "write https://host, or http:// with a loopback address";
    let url: Url = node.parsed(mend)?;
    let host: Option<Host> = url.host_str().and_then(|host| host.parse().ok());
    // A name below localhost is left to resolvers, which may know it elsewhere.
    let loopback = host
        .as_ref()
        .is_some_and(|host| host.is_loopback() && !host.as_str().ends_with(".localhost"));
    let bare = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let reason = match (url.scheme(), host) {
        ("http" | "https", None) => "it names no host",
        ("http", _) if !loopback => "plain http is for loopback addresses only",
        ("http" | "https", _) if !bare => "it must end after host and port",
        ("http" | "https", _) => return Some(url),
        _ => "it must start with https://",
    };
    node.fault(reason, mend);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_cloud_is_there_under_each_of_its_names() {
        let clouds = builtin();
        for name in [
            "default",
            "public",
            "us_gov",
            "usgov",
            "us_gov_dod",
            "usgov_dod",
            "china",
            "fr_bleu",
            "de_delos",
        ] {
            assert!(clouds.contains_key(name), "{name}");
        }
        assert_eq!(clouds.len(), 9);
        assert_eq!(clouds["usgov"].key, "us_gov");
    }
}
