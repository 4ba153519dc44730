//! People: members of a tenant and guests invited into it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

/// Access was blocked by Conditional Access policies.
const BLOCKED_BY_POLICY: u32 = 53003;

/// The home tenant guests come from unless they say otherwise.
const PARTNER_TENANT: &str = "9b8c7d6e-5f40-4312-a1b2-c3d4e5f60718";

/// One person in one tenant.
#[derive(Debug, Clone)]
pub struct User {
    pub(crate) oid: String,
    pub(crate) upn: String,
    pub(crate) name: String,
    pub(crate) given_name: Option<String>,
    pub(crate) surname: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) other_mails: Vec<String>,
    /// The identity provider a guest signs in at; none for a member.
    pub(crate) idp: Option<String>,
    pub(crate) guest: bool,
    pub(crate) enabled: bool,
    /// Whether the domain of `mail` belongs to the organisation that vouches for it; none: as Microsoft would.
    pub(crate) domain_owner_verified: Option<bool>,
    /// Counts revocations: what was granted under an earlier number is void.
    pub(crate) generation: u64,
    /// Authentication contexts this person satisfies without being asked.
    pub(crate) satisfied_contexts: BTreeSet<String>,
    /// Authentication contexts this person cannot satisfy, and the AADSTS code with which the sign-in ends.
    pub(crate) failed_contexts: BTreeMap<String, u32>,
    /// Authentication contexts whose request is passed over: the sign-in succeeds, the token does not have them.
    pub(crate) ignored_contexts: BTreeSet<String>,
    /// Claims by name that an app gets if its optional claims list the name.
    pub(crate) claims: BTreeMap<String, Value>,
}

impl User {
    /// A member of the tenant. The user principal name is the mail address too, until [`User::mail`] or
    /// [`User::without_mail`] says otherwise; the object id follows from it, until [`User::oid`] says otherwise.
    pub fn member(upn: impl Into<String>) -> Self {
        let upn = upn.into();
        Self {
            oid: Uuid::new_v5(&Uuid::NAMESPACE_URL, upn.as_bytes()).to_string(),
            name: upn.clone(),
            mail: Some(upn.clone()),
            upn,
            given_name: None,
            surname: None,
            other_mails: Vec::new(),
            idp: None,
            guest: false,
            enabled: true,
            domain_owner_verified: None,
            generation: 0,
            satisfied_contexts: BTreeSet::new(),
            failed_contexts: BTreeMap::new(),
            ignored_contexts: BTreeSet::new(),
            claims: BTreeMap::new(),
        }
    }

    /// A guest, known by the address of the invitation, from another Entra tenant until [`User::idp`] says
    /// otherwise. In the tenant the user principal name becomes `alias_domain#EXT#@….onmicrosoft.com`.
    pub fn guest(mail: impl Into<String>) -> Self {
        let mut user = Self::member(mail);
        user.guest = true;
        user.idp = Some(format!("https://sts.windows.net/{PARTNER_TENANT}/"));
        user
    }

    /// The object id (a GUID, Graph's `id`).
    #[must_use]
    pub fn oid(mut self, oid: impl Into<String>) -> Self {
        self.oid = oid.into();
        self
    }

    /// The display name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Given name and surname.
    #[must_use]
    pub fn names(mut self, given: impl Into<String>, surname: impl Into<String>) -> Self {
        self.given_name = Some(given.into());
        self.surname = Some(surname.into());
        self
    }

    /// The mail address, where it differs from the user principal name.
    #[must_use]
    pub fn mail(mut self, mail: impl Into<String>) -> Self {
        self.mail = Some(mail.into());
        self
    }

    /// A person without mailbox: no token carries an address.
    #[must_use]
    pub fn without_mail(mut self) -> Self {
        self.mail = None;
        self
    }

    /// A further verified address (claim `verified_secondary_email`).
    #[must_use]
    pub fn other_mail(mut self, mail: impl Into<String>) -> Self {
        self.other_mails.push(mail.into());
        self
    }

    /// Where a guest signs in: `live.com`, `google.com`, `mail`, or `https://sts.windows.net/{home tenant}/`.
    #[must_use]
    pub fn idp(mut self, idp: impl Into<String>) -> Self {
        self.idp = Some(idp.into());
        self
    }

    /// An account that is switched off from the start.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Says whether the owner of the address' domain vouches for it (claim `xms_edov`). By default members are
    /// vouched for where the domain is one of the tenant's, and guests always.
    #[must_use]
    pub fn domain_owner_verified(mut self, verified: bool) -> Self {
        self.domain_owner_verified = Some(verified);
        self
    }

    /// An authentication context (`c1` … `c99`) this person satisfies without being asked.
    #[must_use]
    pub fn satisfies_context(mut self, id: impl Into<String>) -> Self {
        self.satisfied_contexts.insert(id.into());
        self
    }

    /// An authentication context this person cannot satisfy: asked for it, sign-in ends with AADSTS53003.
    #[must_use]
    pub fn fails_context(self, id: impl Into<String>) -> Self {
        self.fails_context_with(id, BLOCKED_BY_POLICY)
    }

    /// An authentication context this person cannot satisfy, and the AADSTS code with which the sign-in then ends:
    /// 53000 for a device that is not compliant, 50079 for a second factor that was never set up …
    #[must_use]
    pub fn fails_context_with(mut self, id: impl Into<String>, code: u32) -> Self {
        self.failed_contexts.insert(id.into(), code);
        self
    }

    /// An authentication context that this person's tokens lack even where it was asked for. Microsoft does not do so;
    /// a client that would then ask again and again has to be seen doing it.
    #[must_use]
    pub fn ignores_context(mut self, id: impl Into<String>) -> Self {
        self.ignored_contexts.insert(id.into());
        self
    }

    /// A value for an optional or mapped claim of this name (`extn.badge`, `department`, `ctry` …).
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Whether somebody who types this at the sign-in page means this person.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        let mail = self.mail.as_deref().unwrap_or_default();
        [self.upn.as_str(), mail, self.oid.as_str()]
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
            || self.login_hint() == name
    }

    /// The opaque value of the claim `login_hint`.
    pub(crate) fn login_hint(&self) -> String {
        format!("O.{}", crate::jose::base64url(&self.oid))
    }

    /// What pages and `preferred_username` show: for a guest the address of the invitation.
    pub(crate) fn shown_name(&self) -> &str {
        match &self.mail {
            Some(mail) if self.guest => mail,
            _ => &self.upn,
        }
    }

    /// Gives a guest the user principal name Entra makes for one.
    pub(crate) fn settle_in(&mut self, initial_domain: &str) {
        if self.guest && !self.upn.contains("#EXT#") {
            self.upn = format!("{}#EXT#@{initial_domain}", self.upn.replace('@', "_"));
        }
    }
}
