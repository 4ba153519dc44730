//! What declared objects become in the store: what is new, what changes, what goes.

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::stored::Stored;
use super::{Manage, service_tokens};
use crate::config::declared::{Declared, DeclaredKind};
use crate::crypto::random;
use crate::snapshot::secrets;
use crate::store::{Document, Kind};

/// An object as it is to be.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) document: Document,
    pub(super) secrets: BTreeMap<String, SecretString>,
    /// How it is now; `None` where it is new.
    pub(super) before: Option<Document>,
    /// Whether anything of it changes.
    pub(super) changes: bool,
}

pub(super) fn kind(declared: DeclaredKind) -> Kind {
    match declared {
        DeclaredKind::IdentityProvider => Kind::IdentityProvider,
        DeclaredKind::List => Kind::List,
        DeclaredKind::ServiceToken => Kind::ServiceToken,
        DeclaredKind::Certificate => Kind::Certificate,
        DeclaredKind::Group => Kind::Group,
        DeclaredKind::CustomPage => Kind::CustomPage,
        DeclaredKind::Policy => Kind::Policy,
        DeclaredKind::Application => Kind::Application,
        DeclaredKind::ApiToken => Kind::ApiToken,
    }
}

impl Manage {
    /// How one declared object is to stand in the store.
    pub(super) fn plan(&self, declared: &Declared, stored: &Stored) -> Planned {
        let kind = kind(declared.kind);
        let before = stored.get(kind, declared.id);
        let mut body = declared.body.clone();
        if kind == Kind::Application {
            keep_aud(&mut body, before.as_ref());
        }
        if kind == Kind::ServiceToken {
            // One that cannot be opened is as if it were not there: it begins anew.
            let now_ms = self.clock.now_ms();
            let held = before.as_ref().and_then(|before| {
                let held = secrets::open(before, &self.sealer, now_ms).ok()?;
                Some((before, held))
            });
            let held = held.as_ref().map(|(before, held)| (*before, held));
            service_tokens::complete(&mut body, &declared.secrets, held, self.clock.now());
        }
        let changes = before.as_ref().is_none_or(|before| {
            !before.declared
                || before.name != declared.name
                || before.body != body
                || !self.same_secrets(before, &declared.secrets)
        });
        let now_ms = self.clock.now_ms();
        let document = Document {
            secrets: secrets::seal(kind, declared.id, &declared.secrets, &self.sealer, now_ms),
            declared: true,
            ..Document::new(kind, declared.id, declared.name.clone(), body)
        };
        Planned {
            document,
            secrets: declared.secrets.clone(),
            before,
            changes,
        }
    }

    /// Whether the store holds these secrets.
    fn same_secrets(&self, stored: &Document, wanted: &BTreeMap<String, SecretString>) -> bool {
        self.other_secrets(stored, wanted)
            .is_some_and(|other| other.is_empty())
    }

    /// The names of the secrets that the store does not hold as they are wanted; `None` where what it holds cannot be
    /// opened: those are sealed anew.
    pub(super) fn other_secrets(
        &self,
        stored: &Document,
        wanted: &BTreeMap<String, SecretString>,
    ) -> Option<BTreeSet<String>> {
        let held = secrets::open(stored, &self.sealer, self.clock.now_ms()).ok()?;
        let exposed = |secrets: &BTreeMap<String, SecretString>, name: &String| {
            secrets.get(name).map(|secret| secret.expose_secret().to_owned())
        };
        let names = held.keys().chain(wanted.keys());
        let other = names.filter(|name| exposed(&held, name) != exposed(wanted, name));
        Some(other.cloned().collect())
    }
}

/// An application keeps its audience tag for life; a new one gets its own. One that is declared wins.
fn keep_aud(body: &mut Value, before: Option<&Document>) {
    let Value::Object(body) = body else { return };
    if body.contains_key("aud") {
        return;
    }
    let kept = before.and_then(|before| before.body.get("aud")).cloned();
    let aud = kept.unwrap_or_else(|| random::hex_digits::<32>().into());
    body.insert("aud".to_owned(), aud);
}
