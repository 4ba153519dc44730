//! The `scope` parameter: OIDC scopes and the permissions of one API.
//!
//! <https://learn.microsoft.com/entra/identity-platform/scopes-oidc>

use std::collections::BTreeSet;

use crate::aadsts::Refusal;
use crate::directory::{AppRegistration, Tenant};

/// Graph's application id, by which error texts and scopes may call it.
pub(crate) const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

/// Graph's name in the public cloud: libraries that have it built in shall work too.
const PUBLIC_GRAPH: &str = "https://graph.microsoft.com";

/// The delegated permissions of Graph the mock knows; any other is AADSTS650053.
const GRAPH_PERMISSIONS: &[&str] = &[
    "Application.Read.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "GroupMember.Read.All",
    "Policy.Read.All",
    "Policy.Read.ConditionalAccess",
    "User.Read",
    "User.Read.All",
    "User.ReadBasic.All",
    "User.ReadWrite.All",
    "User.RevokeSessions.All",
];

/// The API an access token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Microsoft Graph.
    Graph,
    /// An app registration of the tenant, by client id.
    App(String),
}

/// A scope parameter, understood.
#[derive(Debug, Clone)]
pub(crate) struct Scopes {
    /// `openid`, `profile`, `email`, `offline_access`, as far as asked for.
    openid: BTreeSet<&'static str>,
    /// The API the permissions belong to.
    pub(crate) resource: Resource,
    /// The permissions' names without their API.
    pub(crate) permissions: BTreeSet<String>,
    /// `.default`: everything consented to.
    pub(crate) default: bool,
    /// How the caller wrote the API in front of the permissions; answers repeat it.
    prefix: String,
}

impl Scopes {
    /// Reads the parameter: unknown APIs, unknown permissions and several APIs at once are refused.
    pub(crate) fn parse(
        text: &str,
        base_url: &str,
        tenant: &Tenant,
        app: &AppRegistration,
    ) -> Result<Self, Refusal> {
        let mut scopes = Self {
            openid: BTreeSet::new(),
            resource: Resource::Graph,
            permissions: BTreeSet::new(),
            default: false,
            prefix: format!("{base_url}/"),
        };
        let mut api: Option<Resource> = None;
        for scope in text.split_ascii_whitespace() {
            if let Some(openid) = openid_scope(scope) {
                scopes.openid.insert(openid);
                continue;
            }
            let (prefix, permission) = scope
                .rfind('/')
                .map_or(("", scope), |slash| scope.split_at(slash + 1));
            let resource = resource(prefix, base_url, tenant)?;
            if api.as_ref().is_some_and(|known| *known != resource) {
                return Err(Refusal::new(700_022));
            }
            if permission == ".default" {
                scopes.default = true;
            } else if is_known(&resource, permission, tenant) {
                scopes.permissions.insert(permission.to_owned());
            } else {
                return Err(Refusal::new(650_053).app(app).value(permission));
            }
            if !prefix.is_empty() {
                prefix.clone_into(&mut scopes.prefix);
            }
            api = Some(resource);
        }
        if scopes.default && !scopes.permissions.is_empty() {
            return Err(Refusal::new(70011).value(text));
        }
        scopes.resource = api.unwrap_or(Resource::Graph);
        Ok(scopes)
    }

    /// Whether this OIDC scope was asked for.
    pub(crate) fn has(&self, openid: &str) -> bool {
        self.openid.contains(openid)
    }

    /// Refuses permissions nobody consented to, and makes `.default` those that are.
    pub(crate) fn consented(mut self, app: &AppRegistration) -> Result<Self, Refusal> {
        if self.resource != Resource::Graph {
            return Ok(self);
        }
        if self.default {
            self.permissions.clone_from(&app.permissions);
        }
        if self
            .permissions
            .iter()
            .all(|permission| app.permissions.contains(permission))
        {
            return Ok(self);
        }
        Err(Refusal::new(65001).app(app))
    }

    /// These permissions with the sign-in's own OIDC scopes: what redeeming a code with a `scope` yields.
    pub(crate) fn narrowed_to(&self, asked: Self) -> Self {
        Self {
            openid: self.openid.clone(),
            ..asked
        }
    }

    /// What a refresh with a `scope` yields: the OIDC scopes asked for again, and `offline_access` as before.
    pub(crate) fn refreshed_as(&self, mut asked: Self) -> Self {
        if self.has("offline_access") {
            asked.openid.insert("offline_access");
        }
        asked
    }

    /// The `scope` member of an answer: `offline_access` is granted silently.
    pub(crate) fn granted(&self) -> String {
        let openid = ["openid", "profile", "email"]
            .into_iter()
            .filter(|name| self.has(name))
            .map(str::to_owned);
        let permissions = self
            .permissions
            .iter()
            .map(|permission| format!("{}{permission}", self.prefix));
        openid.chain(permissions).collect::<Vec<_>>().join(" ")
    }
}

fn openid_scope(scope: &str) -> Option<&'static str> {
    ["openid", "profile", "email", "offline_access"]
        .into_iter()
        .find(|known| *known == scope)
}

fn resource(prefix: &str, base_url: &str, tenant: &Tenant) -> Result<Resource, Refusal> {
    let name = prefix.trim_end_matches('/');
    if ["", base_url, PUBLIC_GRAPH, GRAPH_APP_ID].contains(&name) {
        return Ok(Resource::Graph);
    }
    let client_id = name.strip_prefix("api://").unwrap_or(name);
    if tenant.apps.contains_key(client_id) {
        return Ok(Resource::App(client_id.to_owned()));
    }
    Err(Refusal::new(500_011).value(name).tenant(&tenant.name))
}

fn is_known(resource: &Resource, permission: &str, tenant: &Tenant) -> bool {
    match resource {
        Resource::Graph => GRAPH_PERMISSIONS.contains(&permission),
        Resource::App(client_id) => tenant
            .apps
            .get(client_id)
            .is_some_and(|app| app.exposed_scopes.contains(permission)),
    }
}
