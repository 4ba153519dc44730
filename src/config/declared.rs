//! Objects that a file declares: their ids, and the references among them.
//!
//! An id is the one written, else a UUID (version 5) of account, kind and name, so that a declaration without id
//! means the same object each time it is read. The account may be known only once the store is open; until then
//! references by name stay names.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use crate::model::ids::AccountId;

/// The kinds of objects that can be declared, in the order in which they may refer to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeclaredKind {
    /// An identity provider.
    IdentityProvider,
    /// A list of e-mail or network addresses.
    List,
    /// A service token.
    ServiceToken,
    /// A certificate authority whose client certificates are taken.
    Certificate,
    /// An access group.
    Group,
    /// A page that an operator wrote.
    CustomPage,
    /// An access policy.
    Policy,
    /// An application.
    Application,
    /// A token of the API.
    ApiToken,
}

impl DeclaredKind {
    /// The kind in derived ids, for ever.
    fn label(self) -> &'static str {
        match self {
            Self::IdentityProvider => "identity_provider",
            Self::List => "list",
            Self::ServiceToken => "service_token",
            Self::Certificate => "certificate",
            Self::Group => "group",
            Self::CustomPage => "custom_page",
            Self::Policy => "policy",
            Self::Application => "application",
            Self::ApiToken => "api_token",
        }
    }
}

/// A declared object, complete but for what the store alone knows (an application's `aud`).
#[derive(Debug, Clone)]
pub struct Declared {
    /// What it is.
    pub kind: DeclaredKind,
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The JSON document in Cloudflare's shape, without secrets.
    pub body: Value,
    /// Its secrets, by the key that held them.
    pub secrets: BTreeMap<String, SecretString>,
    /// The line it is declared at.
    pub line: usize,
}

/// Everything a file declares, with references by name still open.
#[derive(Debug, Clone, Default)]
pub struct Declarations {
    pub(super) objects: Vec<Declaration>,
}

/// A declared object as the file has it.
#[derive(Debug, Clone)]
pub(super) struct Declaration {
    pub(super) key: ObjectKey,
    pub(super) name: String,
    pub(super) body: Value,
    pub(super) secrets: BTreeMap<String, SecretString>,
    /// JSON pointers into `body` whose value becomes the id of the object named.
    pub(super) references: Vec<(String, ObjectKey)>,
    pub(super) line: usize,
}

/// What an object is called before its id is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectKey {
    pub(super) kind: DeclaredKind,
    pub(super) id: DeclaredId,
}

/// Where an id comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeclaredId {
    /// It was written.
    Written(Uuid),
    /// It follows from this name. Policies inside an application have both names, the application's first.
    Derived(String),
}

impl ObjectKey {
    fn id(&self, account: &AccountId) -> Uuid {
        match &self.id {
            DeclaredId::Written(id) => *id,
            DeclaredId::Derived(name) => {
                let account = Uuid::new_v5(&Uuid::NAMESPACE_OID, account.as_str().as_bytes());
                let kind = Uuid::new_v5(&account, self.kind.label().as_bytes());
                Uuid::new_v5(&kind, name.as_bytes())
            }
        }
    }
}

impl Declarations {
    /// The objects with their ids and with references resolved, in the order in which they may be written.
    pub fn resolve(&self, account: &AccountId) -> Vec<Declared> {
        let mut resolved: Vec<Declared> = self
            .objects
            .iter()
            .map(|declaration| declaration.resolve(account))
            .collect();
        resolved.sort_by_key(|declared| declared.kind);
        resolved
    }

    /// How many objects of a kind are declared.
    pub fn count(&self, kind: DeclaredKind) -> usize {
        self.objects
            .iter()
            .filter(|object| object.key.kind == kind)
            .count()
    }
}

impl Declaration {
    fn resolve(&self, account: &AccountId) -> Declared {
        let mut body = self.body.clone();
        for (pointer, target) in &self.references {
            if let Some(place) = body.pointer_mut(pointer) {
                *place = Value::String(target.id(account).to_string());
            }
        }
        Declared {
            kind: self.key.kind,
            id: self.key.id(account),
            name: self.name.clone(),
            body,
            secrets: self.secrets.clone(),
            line: self.line,
        }
    }
}
