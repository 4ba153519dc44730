//! A directory described in a file, JSON or TOML: `examples/directory.toml` shows every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{AppRegistration, Directory, FederatedCredential, Group, GroupClaim, MemberRef, Tenant, User};

/// Why a file does not describe a directory.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is not JSON or TOML of the right shape.
    #[error("{path} is not a directory file: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// A member, an assignment or a certificate refers to nothing.
    #[error("tenant {tenant}: {reason}")]
    Dangling {
        /// The tenant's name.
        tenant: String,
        /// What refers to what.
        reason: String,
    },
}

impl Directory {
    /// Reads a directory from a file: JSON if its name ends in `.json`, else TOML.
    pub fn from_file(path: &Path) -> Result<Self, FileFault> {
        let text = std::fs::read_to_string(path).map_err(|source| FileFault::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let malformed = |reason| FileFault::Malformed {
            path: path.to_owned(),
            reason,
        };
        let file: DirectoryFile = if path.extension().is_some_and(|extension| extension == "json") {
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?
        } else {
            toml::from_str(&text).map_err(|error| malformed(error.to_string()))?
        };
        let beside = path.parent().unwrap_or(Path::new("."));
        let directory = Self::new();
        for tenant in file.tenants {
            directory.add_tenant(tenant.build(beside)?);
        }
        Ok(directory)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryFile {
    tenants: Vec<TenantEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantEntry {
    id: String,
    name: String,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    restricted_guests: bool,
    #[serde(default)]
    users: Vec<UserEntry>,
    #[serde(default)]
    groups: Vec<GroupEntry>,
    #[serde(default)]
    apps: Vec<AppEntry>,
    #[serde(default)]
    auth_contexts: Vec<ContextEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    /// User principal name; for a guest the address of the invitation.
    upn: String,
    #[serde(default)]
    guest: bool,
    oid: Option<String>,
    name: Option<String>,
    given_name: Option<String>,
    surname: Option<String>,
    mail: Option<String>,
    #[serde(default)]
    without_mail: bool,
    idp: Option<String>,
    #[serde(default)]
    disabled: bool,
    domain_owner_verified: Option<bool>,
    #[serde(default)]
    satisfies_contexts: Vec<String>,
    #[serde(default)]
    fails_contexts: Vec<String>,
    #[serde(default)]
    ignores_contexts: Vec<String>,
    #[serde(default)]
    claims: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    id: String,
    name: String,
    #[serde(default)]
    not_security_enabled: bool,
    /// User principal names, mail addresses, or ids of people and groups.
    #[serde(default)]
    members: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the app registration, as the file spells it"
)]
struct AppEntry {
    client_id: String,
    name: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    secrets: Vec<SecretEntry>,
    /// Paths of PEM files, relative to this file.
    #[serde(default)]
    certificates: Vec<PathBuf>,
    #[serde(default)]
    federated: Vec<FederatedEntry>,
    #[serde(default)]
    optional_claims: Vec<String>,
    #[serde(default)]
    exposed_scopes: Vec<String>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    app_permissions: Vec<String>,
    #[serde(default)]
    require_pkce: bool,
    front_channel_logout: Option<String>,
    #[serde(default)]
    group_claim: GroupClaimEntry,
    #[serde(default)]
    custom_signing_key: bool,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    public_client: bool,
    #[serde(default)]
    multi_tenant: bool,
    #[serde(default)]
    assignment_required: bool,
    #[serde(default)]
    assigned: Vec<String>,
    /// App roles: value to the members who have it.
    #[serde(default)]
    roles: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretEntry {
    value: String,
    /// Unix seconds.
    expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FederatedEntry {
    issuer: String,
    subject: String,
    audience: String,
    jwk: Value,
}

#[derive(Deserialize, Default, Clone, Copy)]
enum GroupClaimEntry {
    #[default]
    None,
    SecurityGroup,
    All,
    ApplicationGroup,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextEntry {
    id: String,
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    unavailable: bool,
}

impl TenantEntry {
    /// Builds the tenant; `beside` is where relative paths start.
    fn build(self, beside: &Path) -> Result<Tenant, FileFault> {
        let mut tenant = Tenant::new(self.id, self.name);
        tenant.domains = self.domains;
        tenant.restricted_guests = self.restricted_guests;
        for user in self.users {
            tenant.put_user(user.build());
        }
        for context in self.auth_contexts {
            tenant = tenant.auth_context(
                context.id,
                context.name,
                context.description,
                !context.unavailable,
            );
        }
        for group in &self.groups {
            tenant = tenant.group(Group::new(&group.id, &group.name));
        }
        for entry in self.groups {
            let mut group = Group::new(&entry.id, &entry.name);
            group.security_enabled = !entry.not_security_enabled;
            for member in &entry.members {
                group = group.member(member_of(&tenant, member)?);
            }
            tenant = tenant.group(group);
        }
        for app in self.apps {
            let app = app.build(&tenant, beside)?;
            tenant = tenant.app(app);
        }
        Ok(tenant)
    }
}

impl UserEntry {
    fn build(self) -> User {
        let mut user = if self.guest {
            User::guest(self.upn)
        } else {
            User::member(self.upn)
        };
        user.oid = self.oid.unwrap_or(user.oid);
        user.name = self.name.unwrap_or(user.name);
        user.given_name = self.given_name;
        user.surname = self.surname;
        user.mail = if self.without_mail {
            None
        } else {
            self.mail.or(user.mail)
        };
        user.idp = self.idp.or(user.idp);
        user.enabled = !self.disabled;
        user.domain_owner_verified = self.domain_owner_verified;
        user.satisfied_contexts.extend(self.satisfies_contexts);
        for context in self.fails_contexts {
            user = user.fails_context(context);
        }
        user.ignored_contexts.extend(self.ignores_contexts);
        user.claims = self.claims;
        user
    }
}

impl AppEntry {
    fn build(self, tenant: &Tenant, beside: &Path) -> Result<AppRegistration, FileFault> {
        let dangling = |reason| FileFault::Dangling {
            tenant: tenant.name.clone(),
            reason,
        };
        let mut app = AppRegistration::new(self.client_id, self.name).optional_claims(self.optional_claims);
        app.redirect_uris.extend(self.redirect_uris);
        for secret in self.secrets {
            app = app.secret(secret.value);
            if let Some(expires) = secret.expires {
                app = app.secret_expires(expires);
            }
        }
        for name in self.certificates {
            let path = beside.join(name);
            let pem = std::fs::read_to_string(&path).map_err(|source| FileFault::Unreadable {
                path: path.clone(),
                source,
            })?;
            let fault = || dangling(format!("{} holds no PEM certificate", path.display()));
            app = app.try_certificate_pem(&pem).ok_or_else(fault)?;
        }
        for entry in self.federated {
            app = app.federated(FederatedCredential::new(
                entry.issuer,
                entry.subject,
                entry.audience,
                &entry.jwk,
            ));
        }
        for member in &self.assigned {
            app = app.assign(&member_of(tenant, member)?);
        }
        for (role, members) in &self.roles {
            for member in members {
                app = app.app_role(role, member_of(tenant, member)?);
            }
        }
        app.exposed_scopes.extend(self.exposed_scopes);
        app.permissions.extend(self.permissions);
        app.app_permissions.extend(self.app_permissions);
        app.require_pkce = self.require_pkce;
        app.front_channel_logout = self.front_channel_logout;
        app.group_claim = match self.group_claim {
            GroupClaimEntry::None => GroupClaim::None,
            GroupClaimEntry::SecurityGroup => GroupClaim::SecurityGroup,
            GroupClaimEntry::All => GroupClaim::All,
            GroupClaimEntry::ApplicationGroup => GroupClaim::ApplicationGroup,
        };
        app.custom_signing_key = self.custom_signing_key;
        app.enabled = !self.disabled;
        app.public_client = self.public_client;
        app.multi_tenant = self.multi_tenant;
        app.assignment_required = self.assignment_required;
        Ok(app)
    }
}

fn member_of(tenant: &Tenant, name: &str) -> Result<MemberRef, FileFault> {
    if let Some(user) = tenant.by_name(name) {
        return Ok(MemberRef::User(user.oid.clone()));
    }
    if tenant.groups.contains_key(name) {
        return Ok(MemberRef::group(name));
    }
    let reason = format!("{name} is neither a person nor a group of the tenant");
    Err(FileFault::Dangling {
        tenant: tenant.name.clone(),
        reason,
    })
}
