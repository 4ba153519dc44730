//! One request of SCIM, and what is answered.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::Scim;
use super::error::ScimError;
use super::filter::Filter;
use super::resource::Wanted;
use crate::manage::{provisions, scim_rules};
use crate::model::idp::IdentityProvider;
use crate::model::strict_json::{self, JsonRefused, Keys};
use crate::store::{Consequences, ScimRules, StoreError, Telling};

/// A request whose secret is good.
pub(super) struct Call<'r> {
    pub(super) scim: &'r Scim,
    pub(super) provider: Arc<IdentityProvider>,
    /// The address of the service, without a slash at its end.
    pub(super) base: String,
    pub(super) method: &'r Method,
    pub(super) query: Query,
    pub(super) body: &'r [u8],
    pub(super) request_id: &'r str,
    /// Who asks.
    pub(super) address: IpAddr,
    /// Whether the transaction that was begun last wrote the row of the provisioning log.
    pub(super) noted: AtomicBool,
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.request_id;
        f.debug_struct("Call")
            .field("request_id", id)
            .finish_non_exhaustive()
    }
}

/// The parameters of a query that mean something here. Others, Entra's flags among them, are passed over.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: Option<String>,
    pub(super) attributes: Option<String>,
    pub(super) excluded: Option<String>,
    pub(super) start_index: Option<String>,
    pub(super) count: Option<String>,
}

/// Most parameters that are looked at.
const MOST_PARAMETERS: usize = 50;

impl Query {
    /// The filter, if there is one.
    pub(super) fn filter(&self) -> Result<Option<Filter>, ScimError> {
        let read = |text: &str| Filter::parse(text).map_err(|error| ScimError::Filter(error.to_string()));
        self.filter.as_deref().map(read).transpose()
    }

    /// Reads a query: names in any case, `+` for a space.
    pub(super) fn parse(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(MOST_PARAMETERS) {
            let place = match name.to_ascii_lowercase().as_str() {
                "filter" => &mut read.filter,
                "attributes" => &mut read.attributes,
                "excludedattributes" => &mut read.excluded,
                "startindex" => &mut read.start_index,
                "count" => &mut read.count,
                _ => continue,
            };
            place.get_or_insert_with(|| value.into_owned());
        }
        read
    }

    /// Which attributes are wanted.
    pub(super) fn wanted(&self) -> Result<Wanted, ScimError> {
        Wanted::parse(self.attributes.as_deref(), self.excluded.as_deref())
    }
}

/// What is answered, and what is written down of it.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) status: StatusCode,
    /// JSON, written out.
    pub(super) body: Option<String>,
    pub(super) location: Option<String>,
    pub(super) about: About,
}

/// What a request was about.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) resource: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) user_email: Option<String>,
    pub(super) group_name: Option<String>,
}

impl Done {
    pub(super) fn new(status: StatusCode, body: impl Into<Option<String>>, about: About) -> Self {
        Self {
            status,
            body: body.into(),
            location: None,
            about,
        }
    }

    /// Something that was asked for.
    pub(super) fn found(body: String) -> Self {
        Self::new(StatusCode::OK, body, About::default())
    }
}

impl Call<'_> {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, ScimError> {
        strict_json::read(self.body, Keys::AnyCase).map_err(|refused| match refused {
            JsonRefused::NoJson(_) => ScimError::Syntax("the body is no JSON".to_owned()),
            refused @ JsonRefused::Repeated { .. } => ScimError::Syntax(refused.to_string()),
        })
    }

    pub(super) fn failed(&self, error: StoreError) -> ScimError {
        ScimError::of_store(error, self.request_id)
    }

    /// Has this replica follow at once what the store has committed. Says in words what it was.
    pub(super) fn take_effect(&self, done: Consequences) {
        let effects = &self.scim.effects;
        effects.take_effect(self.provider.id, self.request_id, done);
    }
}

impl Telling for Call<'_> {
    fn rules(&self, provider: Option<&Value>) -> Option<ScimRules<'_>> {
        self.noted.store(false, Ordering::Relaxed);
        let rules = scim_rules(provider.filter(|provider| provisions(provider)))?;
        Some(ScimRules {
            journal: Some(self),
            ..rules
        })
    }
}

/// A resource as it is answered.
pub(super) fn shown(resource: Map<String, Value>, wanted: &Wanted) -> String {
    Value::Object(wanted.apply(resource)).to_string()
}
