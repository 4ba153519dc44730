//! App registrations: what a client of the tenant is, may and must do.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;

use super::group::MemberRef;

/// One registered application.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the registration, as Entra has them"
)]
pub struct AppRegistration {
    pub(crate) client_id: String,
    pub(crate) name: String,
    pub(crate) redirect_uris: BTreeSet<String>,
    pub(crate) secrets: Vec<Secret>,
    /// Registered certificates in DER.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) federated: Vec<FederatedCredential>,
    pub(crate) optional_claims: BTreeSet<String>,
    /// Scopes the app offers as an API of its own.
    pub(crate) exposed_scopes: BTreeSet<String>,
    /// Delegated permissions of Graph with consent.
    pub(crate) permissions: BTreeSet<String>,
    /// Application permissions of Graph with consent.
    pub(crate) app_permissions: BTreeSet<String>,
    pub(crate) require_pkce: bool,
    pub(crate) front_channel_logout: Option<String>,
    pub(crate) group_claim: GroupClaim,
    pub(crate) custom_signing_key: bool,
    pub(crate) enabled: bool,
    pub(crate) public_client: bool,
    pub(crate) multi_tenant: bool,
    pub(crate) assignment_required: bool,
    /// Who is assigned: people, and groups that count for their direct members only.
    pub(crate) assigned: BTreeSet<MemberRefKey>,
    /// App roles and to whom they are assigned.
    pub(crate) roles: Vec<(String, MemberRef)>,
}

/// A member reference that can be sorted.
pub(crate) type MemberRefKey = (bool, String);

/// A client secret with its time of expiry.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) key_id: String,
    pub(crate) value: String,
    /// Unix seconds; none: never.
    pub(crate) expires: Option<i64>,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Which groups the claim `groups` lists (`groupMembershipClaims` of the manifest).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GroupClaim {
    /// No claim: Microsoft's default.
    #[default]
    None,
    /// Security groups, nested ones included.
    SecurityGroup,
    /// Every group, nested ones included.
    All,
    /// Only groups assigned to the application, and of those only the ones the person is in directly.
    ApplicationGroup,
}

/// Trust in tokens of another issuer, in place of a secret (workload identity federation).
#[derive(Debug, Clone)]
pub struct FederatedCredential {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    /// Modulus and exponent of the issuer's RSA key, base64url, as in a JWK (RFC 7518 §6.3.1).
    pub(crate) key: (String, String),
}

impl FederatedCredential {
    /// Trusts tokens of `issuer` for `subject` (case-sensitive) and `audience`
    /// (`api://AzureADTokenExchange` in the public cloud), signed RS256 with the RSA key of the JWK.
    pub fn new(
        issuer: impl Into<String>,
        subject: impl Into<String>,
        audience: impl Into<String>,
        public_jwk: &Value,
    ) -> Self {
        let member = |name: &str| {
            public_jwk
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            issuer: issuer.into(),
            subject: subject.into(),
            audience: audience.into(),
            key: (member("n"), member("e")),
        }
    }
}

impl AppRegistration {
    /// A confidential, single-tenant application without redirect address, credential or permission.
    pub fn new(client_id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            client_id: client_id.into(),
            name: name.into(),
            redirect_uris: BTreeSet::new(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
            optional_claims: BTreeSet::new(),
            exposed_scopes: BTreeSet::new(),
            permissions: BTreeSet::new(),
            app_permissions: BTreeSet::new(),
            require_pkce: false,
            front_channel_logout: None,
            group_claim: GroupClaim::None,
            custom_signing_key: false,
            enabled: true,
            public_client: false,
            multi_tenant: false,
            assignment_required: false,
            assigned: BTreeSet::new(),
            roles: Vec::new(),
        }
    }

    /// Registers a redirect address of the platform *Web*; it is compared byte by byte.
    #[must_use]
    pub fn redirect_uri(mut self, uri: impl Into<String>) -> Self {
        self.redirect_uris.insert(uri.into());
        self
    }

    /// Adds a client secret that never expires.
    #[must_use]
    pub fn secret(mut self, value: impl Into<String>) -> Self {
        self.secrets.push(Secret {
            key_id: crate::random::guid(),
            value: value.into(),
            expires: None,
        });
        self
    }

    /// Lets the secret added last expire at this time (Unix seconds).
    #[must_use]
    pub fn secret_expires(mut self, unix_seconds: i64) -> Self {
        if let Some(secret) = self.secrets.last_mut() {
            secret.expires = Some(unix_seconds);
        }
        self
    }

    /// Registers a certificate for client assertions.
    ///
    /// # Panics
    /// If the text holds no PEM certificate.
    #[must_use]
    pub fn certificate_pem(self, pem: impl AsRef<str>) -> Self {
        match self.try_certificate_pem(pem.as_ref()) {
            Some(app) => app,
            None => panic!("the certificate registered for the app is not in PEM form"),
        }
    }

    /// [`AppRegistration::certificate_pem`] for texts that may be wrong.
    pub(crate) fn try_certificate_pem(mut self, pem: &str) -> Option<Self> {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        self.certificates.push(certificate.to_vec());
        Some(self)
    }

    /// Registers a federated credential.
    #[must_use]
    pub fn federated(mut self, credential: FederatedCredential) -> Self {
        self.federated.push(credential);
        self
    }

    /// Names of the optional claims of the ID token (`email`, `upn`, `acct`, `sid` …). The additional property
    /// `include_externally_authenticated_upn` (and `…_without_hash`) goes into the same list.
    #[must_use]
    pub fn optional_claims<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.optional_claims.extend(names.into_iter().map(Into::into));
        self
    }

    /// Offers a scope of the app as an API: others ask for `api://<client id>/<scope>`.
    #[must_use]
    pub fn exposes_scope(mut self, name: impl Into<String>) -> Self {
        self.exposed_scopes.insert(name.into());
        self
    }

    /// Grants a delegated permission of Graph, with administrator consent.
    #[must_use]
    pub fn permission(mut self, name: impl Into<String>) -> Self {
        self.permissions.insert(name.into());
        self
    }

    /// Grants an application permission of Graph, with administrator consent.
    #[must_use]
    pub fn app_permission(mut self, name: impl Into<String>) -> Self {
        self.app_permissions.insert(name.into());
        self
    }

    /// Refuses sign-ins without a PKCE challenge (AADSTS9002325). A challenge that is sent is enforced anyhow.
    #[must_use]
    pub fn require_pkce(mut self, required: bool) -> Self {
        self.require_pkce = required;
        self
    }

    /// The address a sign-out loads in a hidden frame, with `?sid=`.
    #[must_use]
    pub fn front_channel_logout(mut self, url: impl Into<String>) -> Self {
        self.front_channel_logout = Some(url.into());
        self
    }

    /// Which groups go into the ID token.
    #[must_use]
    pub fn group_claim(mut self, claim: GroupClaim) -> Self {
        self.group_claim = claim;
        self
    }

    /// Signs this app's tokens with a key of its own, published only under `?appid=`.
    #[must_use]
    pub fn custom_signing_key(mut self) -> Self {
        self.custom_signing_key = true;
        self
    }

    /// Switches sign-in off for the app (AADSTS7000112).
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// A public client: it has no credential and must not send one (AADSTS700025).
    #[must_use]
    pub fn public_client(mut self) -> Self {
        self.public_client = true;
        self
    }

    /// Opens the app to `common` and `organizations`.
    #[must_use]
    pub fn multi_tenant(mut self) -> Self {
        self.multi_tenant = true;
        self
    }

    /// Lets only assigned people in (AADSTS50105 for everyone else).
    #[must_use]
    pub fn assignment_required(mut self) -> Self {
        self.assignment_required = true;
        self
    }

    /// Assigns a person, or the direct members of a group.
    #[must_use]
    pub fn assign(mut self, member: &MemberRef) -> Self {
        self.assigned.insert(key(member));
        self
    }

    /// Gives an app role to a person, or to the direct members of a group (claim `roles`).
    #[must_use]
    pub fn app_role(mut self, value: impl Into<String>, member: MemberRef) -> Self {
        self.roles.push((value.into(), member));
        self
    }

    /// Whether this optional claim was asked for.
    pub(crate) fn wants(&self, claim: &str) -> bool {
        self.optional_claims.contains(claim)
    }
}

/// The sortable form of a member reference.
pub(crate) fn key(member: &MemberRef) -> MemberRefKey {
    match member {
        MemberRef::User(oid) => (true, oid.clone()),
        MemberRef::Group(id) => (false, id.clone()),
    }
}
