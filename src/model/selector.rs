//! Rules: what one of them asks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::address::AddressRange;
use super::country::CountryCode;
use super::email::{EmailAddress, EmailDomain};
use super::ids::{GroupId, IdpId, ListId, ObjectId, ServiceTokenId};

/// One rule. On the wire an object with exactly one key, such as `{"email_domain":{"domain":"example.com"}}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Everybody.
    Everyone,
    /// One address.
    Email {
        /// The address.
        email: EmailAddress,
    },
    /// Every address of a domain; subdomains are other domains.
    EmailDomain {
        /// The domain, without `@`.
        domain: EmailDomain,
    },
    /// The addresses of a list.
    EmailList {
        /// The list.
        id: ListId,
    },
    /// A group of an Entra directory, nested membership included.
    AzureAd {
        /// The group.
        id: DirectoryGroup,
        /// The provider whose directory it is of.
        identity_provider_id: IdpId,
    },
    /// A Conditional Access authentication context that the person has satisfied.
    AuthContext {
        /// The context, `c1` to `c99`.
        ac_id: String,
        /// The provider whose directory it is of.
        identity_provider_id: IdpId,
    },
    /// A way in which the person proved who they are (`amr`, RFC 8176).
    AuthMethod {
        /// The method, such as `mfa`.
        auth_method: String,
    },
    /// The provider that the person signed in with.
    LoginMethod {
        /// The provider.
        id: IdpId,
    },
    /// A claim that the provider sent.
    Oidc {
        /// The claim.
        claim_name: String,
        /// What it is, or holds where it is a list.
        claim_value: String,
        /// The provider.
        identity_provider_id: IdpId,
    },
    /// What another service says of the person.
    ExternalEvaluation {
        /// Where it is asked.
        evaluate_url: String,
        /// Where its keys are.
        keys_url: String,
    },
    /// An access group: rules under a name.
    Group {
        /// The group.
        id: GroupId,
    },
    /// Addresses that requests come from.
    Ip {
        /// The addresses.
        ip: AddressRange,
    },
    /// The addresses of a list that requests come from.
    IpList {
        /// The list.
        id: ListId,
    },
    /// A country that requests come from.
    Geo {
        /// The country.
        country_code: CountryCode,
    },
    /// One service token.
    ServiceToken {
        /// The token.
        token_id: ServiceTokenId,
    },
    /// Any service token that is good.
    AnyValidServiceToken,
    /// Any client certificate of an authority that the operator named.
    Certificate,
    /// The common name of such a certificate.
    CommonName {
        /// The name, exactly.
        common_name: String,
    },
    /// A selector of Access's that is kept and never evaluated: always unknown.
    Unevaluated {
        /// Which.
        selector: Unevaluated,
        /// Its settings, as they were written.
        settings: Value,
    },
}

impl Selector {
    /// The selector's key on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Email { .. } => "email",
            Self::EmailDomain { .. } => "email_domain",
            Self::EmailList { .. } => "email_list",
            Self::AzureAd { .. } => "azureAD",
            Self::AuthContext { .. } => "auth_context",
            Self::AuthMethod { .. } => "auth_method",
            Self::LoginMethod { .. } => "login_method",
            Self::Oidc { .. } => "oidc",
            Self::ExternalEvaluation { .. } => "external_evaluation",
            Self::Group { .. } => "group",
            Self::Ip { .. } => "ip",
            Self::IpList { .. } => "ip_list",
            Self::Geo { .. } => "geo",
            Self::ServiceToken { .. } => "service_token",
            Self::AnyValidServiceToken => "any_valid_service_token",
            Self::Certificate => "certificate",
            Self::CommonName { .. } => "common_name",
            Self::Unevaluated { selector, .. } => selector.as_str(),
        }
    }

    /// What stands under that key on the wire.
    pub fn settings(&self) -> Value {
        match self {
            Self::Everyone | Self::AnyValidServiceToken | Self::Certificate => json!({}),
            Self::Email { email } => json!({ "email": email.to_string() }),
            Self::EmailDomain { domain } => json!({ "domain": domain.to_string() }),
            Self::EmailList { id } | Self::IpList { id } => json!({ "id": id }),
            Self::AzureAd {
                id,
                identity_provider_id,
            } => {
                let id = match id {
                    DirectoryGroup::Id(id) => id.to_string(),
                    DirectoryGroup::Name(name) => name.to_string(),
                };
                json!({ "id": id, "identity_provider_id": identity_provider_id })
            }
            Self::AuthContext {
                ac_id,
                identity_provider_id,
            } => json!({ "ac_id": ac_id, "identity_provider_id": identity_provider_id }),
            Self::AuthMethod { auth_method } => json!({ "auth_method": auth_method }),
            Self::LoginMethod { id } => json!({ "id": id }),
            Self::Oidc {
                claim_name,
                claim_value,
                identity_provider_id,
            } => json!({
                "claim_name": claim_name,
                "claim_value": claim_value,
                "identity_provider_id": identity_provider_id,
            }),
            Self::ExternalEvaluation {
                evaluate_url,
                keys_url,
            } => json!({ "evaluate_url": evaluate_url, "keys_url": keys_url }),
            Self::Group { id } => json!({ "id": id }),
            Self::Ip { ip } => json!({ "ip": ip.to_string() }),
            Self::Geo { country_code } => json!({ "country_code": country_code }),
            Self::ServiceToken { token_id } => json!({ "token_id": token_id }),
            Self::CommonName { common_name } => json!({ "common_name": common_name }),
            Self::Unevaluated { settings, .. } => settings.clone(),
        }
    }

    /// Whether it asks who somebody is. Such a rule has no place where nobody signs in. Of an access group it depends
    /// on the group's rules.
    pub fn asks_identity(&self) -> bool {
        match self {
            Self::Email { .. }
            | Self::EmailDomain { .. }
            | Self::EmailList { .. }
            | Self::AzureAd { .. }
            | Self::AuthContext { .. }
            | Self::AuthMethod { .. }
            | Self::LoginMethod { .. }
            | Self::Oidc { .. }
            | Self::ExternalEvaluation { .. } => true,
            Self::Unevaluated { selector, .. } => selector.asks_identity(),
            Self::Everyone
            | Self::Group { .. }
            | Self::Ip { .. }
            | Self::IpList { .. }
            | Self::Geo { .. }
            | Self::ServiceToken { .. }
            | Self::AnyValidServiceToken
            | Self::Certificate
            | Self::CommonName { .. } => false,
        }
    }

    /// Whether it asks for the token of another application. Of an access group it depends on the group's rules.
    pub fn links_app(&self) -> bool {
        matches!(
            self,
            Self::Unevaluated {
                selector: Unevaluated::LinkedAppToken,
                ..
            }
        )
    }

    /// Whether a text is the id of an authentication context. Entra has c1 to c99
    /// (<https://learn.microsoft.com/entra/identity-platform/developer-guide-conditional-access-authentication-context>).
    pub fn is_auth_context(text: &str) -> bool {
        let digits = text.strip_prefix('c').unwrap_or_default();
        let number = digits.parse::<u8>().unwrap_or(0);
        (1..=99).contains(&number) && number.to_string() == digits
    }

    /// Every selector that is evaluated, by its key on the wire.
    pub const EVALUATED: &[&str] = &[
        "everyone",
        "email",
        "email_domain",
        "email_list",
        "azureAD",
        "auth_context",
        "auth_method",
        "login_method",
        "oidc",
        "external_evaluation",
        "group",
        "ip",
        "ip_list",
        "geo",
        "service_token",
        "any_valid_service_token",
        "certificate",
        "common_name",
    ];
}

/// Selectors of Access's whose sources do not exist here. They are taken only where the operator says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Unevaluated {
    /// What an agent says of the device.
    DevicePosture,
    /// How risky Cloudflare holds the person.
    UserRiskScore,
    /// A token of another application (Access: MCP portals).
    LinkedAppToken,
    /// An attribute of SAML providers.
    Saml,
    /// A group of Okta's.
    Okta,
    /// A group of Google Workspace's.
    Gsuite,
    /// A team of GitHub's.
    GithubOrganization,
    /// A member of a Cloudflare account.
    CloudflareAccountMember,
}

impl Unevaluated {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::DevicePosture,
        Self::UserRiskScore,
        Self::LinkedAppToken,
        Self::Saml,
        Self::Okta,
        Self::Gsuite,
        Self::GithubOrganization,
        Self::CloudflareAccountMember,
    ];

    /// The selector's key on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DevicePosture => "device_posture",
            Self::UserRiskScore => "user_risk_score",
            Self::LinkedAppToken => "linked_app_token",
            Self::Saml => "saml",
            Self::Okta => "okta",
            Self::Gsuite => "gsuite",
            Self::GithubOrganization => "github-organization",
            Self::CloudflareAccountMember => "cloudflare_account_member",
        }
    }

    /// What whoever writes such a rule is told.
    pub fn warning(self) -> String {
        let name = self.as_str();
        format!("{name} is never evaluated: always unknown, it lets nobody in and keeps people out")
    }

    /// What is wrong with the settings of such a rule, behind its place in them (a JSON pointer). They are kept as they
    /// are; but a level that Access has not is a slip of the pen wherever the rule is evaluated.
    pub fn refusal(self, settings: &Value) -> Option<(String, String)> {
        const KEY: &str = "user_risk_score";
        const LEVELS: [&str; 4] = ["low", "medium", "high", "unscored"];
        const NEEDED: &str = "a list of the levels low, medium, high and unscored is needed";
        if self != Self::UserRiskScore {
            return None;
        }
        let Some(levels) = settings.get(KEY).and_then(Value::as_array) else {
            return Some((format!("/{KEY}"), NEEDED.to_owned()));
        };
        let known = |level: &Value| level.as_str().is_some_and(|level| LEVELS.contains(&level));
        let (index, level) = levels.iter().enumerate().find(|(_, level)| !known(level))?;
        Some((
            format!("/{KEY}/{index}"),
            format!("{level} is no risk level: {NEEDED}"),
        ))
    }

    /// Whether it asks who somebody is.
    pub fn asks_identity(self) -> bool {
        !matches!(self, Self::DevicePosture | Self::LinkedAppToken)
    }
}

/// Why a rule `linked_app_token` has no place among people (Access).
pub const LINKED_APP_TOKEN_MISPLACED: &str =
    "linked_app_token has a place in policies of decision non_identity and bypass only";

/// Why an access group that holds such a rule has no place there either.
pub const GROUP_LINKS_APP: &str = "the access group holds a rule that has no place here: linked_app_token has a place in \
                                   policies of decision non_identity and bypass only";

/// The text names no such selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no selector that goes unevaluated")]
pub struct NotUnevaluated;

impl FromStr for Unevaluated {
    type Err = NotUnevaluated;

    fn from_str(text: &str) -> Result<Self, NotUnevaluated> {
        let found = Self::ALL.into_iter().find(|selector| selector.as_str() == text);
        found.ok_or(NotUnevaluated)
    }
}

impl TryFrom<String> for Unevaluated {
    type Error = NotUnevaluated;

    fn try_from(text: String) -> Result<Self, NotUnevaluated> {
        text.parse()
    }
}

impl From<Unevaluated> for String {
    fn from(selector: Unevaluated) -> Self {
        selector.as_str().to_owned()
    }
}

/// A group of an Entra directory, as a rule names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DirectoryGroup {
    /// By its object id.
    Id(ObjectId),
    /// By its display name, exactly. Names are not unique in a directory: whoever may create groups may take one.
    Name(Box<str>),
}

/// The text names no group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the object id of a group is needed, a UUID, or the group's name")]
pub struct DirectoryGroupMalformed;

/// Entra's own limit on display names of groups.
const MAX_GROUP_NAME: usize = 256;

impl FromStr for DirectoryGroup {
    type Err = DirectoryGroupMalformed;

    fn from_str(text: &str) -> Result<Self, DirectoryGroupMalformed> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        // An id with a slip in it must not become a name that no group has.
        let like_an_id =
            text.len() >= 30 && text.bytes().all(|b| b.is_ascii_hexdigit() || b"-{}".contains(&b));
        let fine = !text.trim().is_empty()
            && text.chars().count() <= MAX_GROUP_NAME
            && !text.chars().any(char::is_control)
            && !like_an_id;
        fine.then(|| Self::Name(text.into()))
            .ok_or(DirectoryGroupMalformed)
    }
}

impl fmt::Display for DirectoryGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Everyone | Self::AnyValidServiceToken | Self::Certificate | Self::Unevaluated { .. } => {
                Ok(())
            }
            Self::Email { email } => write!(f, " {email}"),
            Self::EmailDomain { domain } => write!(f, " {domain}"),
            Self::EmailList { id } | Self::IpList { id } => write!(f, " {id}"),
            Self::AzureAd { id, .. } => write!(f, " {id}"),
            Self::AuthContext { ac_id, .. } => write!(f, " {ac_id}"),
            Self::AuthMethod { auth_method } => write!(f, " {auth_method}"),
            Self::LoginMethod { id } => write!(f, " {id}"),
            Self::Oidc {
                claim_name,
                claim_value,
                ..
            } => write!(f, " {claim_name}={claim_value:?}"),
            Self::ExternalEvaluation { evaluate_url, .. } => write!(f, " {evaluate_url}"),
            Self::Group { id } => write!(f, " {id}"),
            Self::Ip { ip } => write!(f, " {ip}"),
            Self::Geo { country_code } => write!(f, " {country_code}"),
            Self::ServiceToken { token_id } => write!(f, " {token_id}"),
            Self::CommonName { common_name } => write!(f, " {common_name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_id_or_by_name_and_never_by_a_broken_id() {
        let id = "a1000001-1111-4a11-8a11-000000000001";
        assert!(matches!(id.parse(), Ok(DirectoryGroup::Id(_))));
        assert!(matches!("Engineering".parse(), Ok(DirectoryGroup::Name(_))));
        for broken in ["", " ", "a\nb", &id[1..], &id.replace('-', ""), &"x".repeat(257)] {
            assert!(broken.parse::<DirectoryGroup>().is_err(), "{broken:?}");
        }
    }
}
