//! Microsoft's clouds: where to sign in and where Graph is.
//!
//! <https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud>,
//! <https://learn.microsoft.com/graph/deployments>. App registrations do not cross clouds, and one directory id can exist
//! in two of them: the operator chooses, nothing is probed. The cloud of Germany that closed in 2021 is not offered.

use url::Url;

use crate::model::idp::Cloud;

struct Row {
    key: &'static str,
    login: &'static str,
    graph: &'static str,
    instance_name: Option<&'static str>,
    federation_audience: &'static str,
}

const FEDERATION: &str = "api://AzureADTokenExchange";
const FEDERATION_US: &str = "api://AzureADTokenExchangeUSGov";
const FEDERATION_CHINA: &str = "api://AzureADTokenExchangeChina";

const ROWS: [Row; 6] = [
    Row {
        key: "default",
        login: "https://login.microsoftonline.com",
        graph: "https://graph.microsoft.com",
        instance_name: Some("microsoftonline.com"),
        federation_audience: FEDERATION,
    },
    Row {
        key: "us_gov",
        login: "https://login.microsoftonline.us",
        graph: "https://graph.microsoft.us",
        instance_name: Some("microsoftonline.us"),
        federation_audience: FEDERATION_US,
    },
    // Shares its login host with `us_gov`; only Graph differs.
    Row {
        key: "us_gov_dod",
        login: "https://login.microsoftonline.us",
        graph: "https://dod-graph.microsoft.us",
        instance_name: Some("microsoftonline.us"),
        federation_audience: FEDERATION_US,
    },
    Row {
        key: "china",
        login: "https://login.partner.microsoftonline.cn",
        graph: "https://microsoftgraph.chinacloudapi.cn",
        instance_name: Some("partner.microsoftonline.cn"),
        federation_audience: FEDERATION_CHINA,
    },
    // The sovereign clouds of Europe stand in MSAL's tables only; their instance name is not published.
    Row {
        key: "fr_bleu",
        login: "https://login.sovcloud-identity.fr",
        graph: "https://graph.svc.sovcloud.fr",
        instance_name: None,
        federation_audience: FEDERATION,
    },
    Row {
        key: "de_delos",
        login: "https://login.sovcloud-identity.de",
        graph: "https://graph.svc.sovcloud.de",
        instance_name: None,
        federation_audience: FEDERATION,
    },
];

/// The clouds that `azure_cloud` may name without a `[clouds.NAME]` of one's own.
pub fn builtin() -> Vec<Cloud> {
    ROWS.iter().filter_map(cloud).collect()
}

fn cloud(row: &Row) -> Option<Cloud> {
    Some(Cloud {
        key: row.key.to_owned(),
        login: Url::parse(row.login).ok()?,
        graph: Url::parse(row.graph).ok()?,
        instance_name: row.instance_name.map(str::to_owned),
        federation_audience: row.federation_audience.to_owned(),
    })
}

/// A base address without its trailing slash.
pub(super) fn base(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Our keys beside those of the fixture, which are MSAL's and the community's.
    const KEYS: [(&str, &str); 6] = [
        ("public", "default"),
        ("usgov", "us_gov"),
        ("usgov_dod", "us_gov_dod"),
        ("china", "china"),
        ("fr_bleu", "fr_bleu"),
        ("de_delos", "de_delos"),
    ];

    #[test]
    fn hosts_are_those_of_the_published_table() {
        let table: Value =
            serde_json::from_str(include_str!("../../tests/fixtures/entra/discovery/clouds.json")).unwrap();
        let clouds = builtin();
        assert_eq!(clouds.len(), ROWS.len());
        for (theirs, ours) in KEYS {
            let rows = table["clouds"].as_array().unwrap();
            let row = rows.iter().find(|row| row["key"] == theirs).unwrap();
            let cloud = clouds.iter().find(|cloud| cloud.key == ours).unwrap();
            assert_eq!(cloud.login.host_str(), row["login_host"].as_str(), "{ours}");
            assert_eq!(cloud.graph.host_str(), row["graph_host"].as_str(), "{ours}");
            assert_eq!(
                cloud.instance_name.as_deref(),
                row["cloud_instance_name"].as_str(),
                "{ours}"
            );
            if let Some(audience) = row["fic_audience"].as_str() {
                assert_eq!(cloud.federation_audience, audience, "{ours}");
            }
        }
    }

    #[test]
    fn the_closed_cloud_of_germany_is_not_offered() {
        assert!(
            builtin()
                .iter()
                .all(|cloud| cloud.login.host_str() != Some("login.microsoftonline.de"))
        );
    }
}
