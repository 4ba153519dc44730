//! The Microsoft clouds, and `[clouds.NAME]` for clouds of one's own.
//!
//! Hosts: <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>,
//! <https://learn.microsoft.com/graph/deployments>; the two sovereign clouds of 2026 stand only in Microsoft's
//! libraries (MSAL.NET, `KnownMetadataProvider`).

use std::collections::BTreeMap;

use url::Url;

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
        "api://AzureADTokenExchange",
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
        "api://AzureADTokenExchange",
    ),
    (
        "de_delos",
        &[],
        "login.sovcloud-identity.de",
        "graph.svc.sovcloud.de",
        None,
        "api://AzureADTokenExchange",
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
