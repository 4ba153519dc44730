//! Whether objects can stand: each by itself, and all of them together.

use std::collections::{BTreeMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use uuid::Uuid;

use super::claims::{Claims, Keys, Owner, Owners, of};
use super::plan::Planned;
use super::stored::{Index, Stored, referents};
use super::{Manage, ManageError, RefusedObject};
use crate::crypto::pair::{Unfit, certified, is_rsa};
use crate::model::application::{Application, Tag};
use crate::model::idp::{ClientCredential, Cloud};
use crate::model::ids::{
    ApiTokenId, AppId, AuthorityId, CustomPageId, GroupId, IdpId, ListId, PolicyId, ServiceTokenId,
};
use crate::model::organization::Organization;
use crate::model::plain;
use crate::policy::Referents;
use crate::snapshot::read::{self, Around, Named, Problem};
use crate::store::{Document, Kind};

/// What stays beside planned objects.
pub(super) struct Beside<'b> {
    stored: &'b Stored,
    /// Those of the stored objects that do not stay.
    without: Keys,
    /// In the place of the stored one.
    with: Option<&'b Document>,
}

impl<'b> Beside<'b> {
    /// All that is stored.
    pub(super) fn all(stored: &'b Stored) -> Self {
        Self::without(stored, Keys::new())
    }

    /// What is stored but for these.
    pub(super) fn without(stored: &'b Stored, without: Keys) -> Self {
        Self {
            stored,
            without,
            with: None,
        }
    }

    /// All that is stored, one object being this.
    pub(super) fn with(stored: &'b Stored, object: &'b Document) -> Self {
        Self {
            stored,
            without: Keys::from([(object.kind, object.id)]),
            with: Some(object),
        }
    }
}

/// What other objects refer to or clash with.
struct Neighbours<'n> {
    /// What is stored.
    index: &'n Index,
    /// What of it does not count.
    without: Keys,
    providers: HashSet<Uuid>,
    policies: HashSet<Uuid>,
    service_tokens: HashSet<Uuid>,
    /// Access groups and lists, as they will be.
    referents: Arc<Referents>,
    pages: HashSet<Uuid>,
    /// What those have that are planned, and not stored yet.
    claims: Claims,
}

impl Manage {
    /// Holds what is planned against itself and against the objects that stay beside it.
    pub(super) fn validate(&self, planned: &[Planned], beside: Beside<'_>) -> Result<(), ManageError> {
        let index = self.index.of(beside.stored);
        let mut neighbours = Neighbours::of(planned, beside, &index);
        let mut refused = Vec::new();
        let mut all_taken = true;
        for planned in planned {
            let Findings { mut problems, taken } = self.problems(planned, &mut neighbours);
            problems.extend(name_problems(&planned.document));
            all_taken &= problems.len() == taken;
            if !problems.is_empty() {
                refused.push(RefusedObject {
                    kind: planned.document.kind,
                    name: planned.document.name.clone(),
                    problems,
                });
            }
        }
        if refused.is_empty() {
            Ok(())
        } else if all_taken {
            Err(ManageError::Taken(refused))
        } else {
            Err(ManageError::Refused(refused))
        }
    }

    fn problems(&self, planned: &Planned, neighbours: &mut Neighbours<'_>) -> Findings {
        let document = &planned.document;
        let problems = match document.kind {
            Kind::IdentityProvider => provider_problems(document, &planned.secrets, &self.clouds),
            Kind::Policy => match read::policy(PolicyId(document.id), &document.body) {
                Ok(policy) => neighbours.around(&self.organization).policy_problems(&policy, ""),
                Err(problems) => problems,
            },
            Kind::Group => match read::group(GroupId(document.id), &document.body) {
                Ok(group) => neighbours
                    .around(&self.organization)
                    .problems(group.rules(), None, ""),
                Err(problems) => problems,
            },
            Kind::List => read::list(ListId(document.id), &document.body)
                .err()
                .unwrap_or_default(),
            Kind::Application => match read::application(AppId(document.id), &document.body) {
                Ok(read) => {
                    let Findings {
                        mut problems,
                        mut taken,
                    } = self.application_problems(&read.application, neighbours);
                    // The file's tags are made by naming them.
                    if !document.declared {
                        problems.extend(neighbours.tag_problems(&read.application));
                    }
                    if read.launcher.is_some() {
                        let findings = neighbours.launcher_problems(&read.application);
                        problems.extend(findings.problems);
                        taken += findings.taken;
                    }
                    let missing = read.application.policies.iter().filter(|policy| {
                        let inside = read.inside.iter().any(|inside| inside.id == **policy);
                        !inside && !neighbours.policies.contains(&policy.0)
                    });
                    problems.extend(
                        missing.map(|policy| problem("/policies", format!("no policy has the id {policy}"))),
                    );
                    for policy in &read.inside {
                        let around = neighbours.around(&self.organization);
                        problems.extend(around.policy_problems(policy, "/policies"));
                    }
                    return Findings { problems, taken };
                }
                Err(problems) => problems,
            },
            Kind::Certificate => read::certificate(AuthorityId(document.id), &document.body)
                .err()
                .unwrap_or_default(),
            Kind::ServiceToken => service_token_problems(document, &planned.secrets, neighbours),
            Kind::ApiToken => read::api_token(ApiTokenId(document.id), &document.body, &planned.secrets)
                .err()
                .unwrap_or_default(),
            Kind::CustomPage => read::custom_page(CustomPageId(document.id), &document.body)
                .err()
                .unwrap_or_default(),
            // A tag is its name, which whoever makes it has read.
            Kind::Organization | Kind::Tag => Vec::new(),
        };
        Findings { problems, taken: 0 }
    }

    fn application_problems(&self, application: &Application, neighbours: &mut Neighbours<'_>) -> Findings {
        let mut problems = Vec::new();
        let (own, stored) = (&mut neighbours.claims, &neighbours.index.claims);
        let owner = of(Kind::Application, application.id.0, &application.name);
        for destination in &application.destinations {
            if destination.host() == self.organization.auth.host().as_str() {
                problems.push(problem(
                    "/destinations",
                    format!("{destination} is on the auth host, which serves no application"),
                ));
            }
            let transfer = self.organization.transfer_host.as_ref();
            if transfer.is_some_and(|host| destination.host() == host.as_str()) {
                problems.push(problem(
                    "/destinations",
                    format!("{destination} is on the transfer host, which serves no application"),
                ));
            }
            let places = (&mut own.addresses, &stored.addresses);
            if let Some(other) = claim(places, &neighbours.without, destination, owner) {
                problems.push(problem(
                    "/destinations",
                    format!("{destination} belongs to the application \"{other}\""),
                ));
            }
        }
        let taken = problems.len();
        let audiences = (&mut own.audiences, &stored.audiences);
        if let Some(other) = claim(audiences, &neighbours.without, &application.aud, owner) {
            problems.push(problem(
                "/aud",
                format!("it is that of the application \"{other}\""),
            ));
        }
        let unknown = application
            .allowed_idps
            .iter()
            .filter(|provider| !neighbours.providers.contains(&provider.0));
        problems.extend(unknown.map(|provider| no_provider("/allowed_idps", *provider)));
        let unknown = application
            .custom_pages
            .iter()
            .filter(|page| !neighbours.pages.contains(&page.0));
        problems.extend(
            unknown.map(|page| problem("/custom_pages", format!("no custom page has the id {page}"))),
        );
        Findings { problems, taken }
    }
}

/// What is wrong with an object.
struct Findings {
    problems: Vec<Problem>,
    /// How many of them say that an address, or being the launcher, is another's already: with the object itself nothing is
    /// wrong then.
    taken: usize,
}

impl<'i> Neighbours<'i> {
    fn of(planned: &[Planned], beside: Beside<'_>, index: &'i Index) -> Self {
        let Beside {
            stored,
            mut without,
            with,
        } = beside;
        let key = |document: &Document| (document.kind, document.id);
        without.extend(planned.iter().map(|planned| key(&planned.document)));
        let stay = |kind: Kind| {
            let objects = stored.of_kind(kind).iter();
            let stay = objects.filter(|object| !without.contains(&(kind, object.id)));
            stay.map(|object| object.id).collect()
        };
        let mut neighbours = Self {
            index,
            providers: stay(Kind::IdentityProvider),
            policies: stay(Kind::Policy),
            service_tokens: stay(Kind::ServiceToken),
            pages: stay(Kind::CustomPage),
            referents: index.referents(),
            claims: Claims::default(),
            without,
        };
        neighbours.enter_referents(planned, stored, with);
        let planned = planned.iter().map(|planned| &planned.document);
        for document in planned.clone().chain(with) {
            neighbours.enter_reference(document.kind, document.id);
        }
        // What else those have that are planned is entered when they are held against it.
        for document in planned
            .filter(|document| document.kind == Kind::Policy)
            .chain(with)
        {
            let owner = of(document.kind, document.id, &document.name);
            neighbours.claims.note(owner, &document.body, true);
        }
        neighbours
    }

    /// There is one launcher.
    fn launcher_problems(&mut self, application: &Application) -> Findings {
        let mut problems = Vec::new();
        let owner = of(Kind::Application, application.id.0, &application.name);
        let launchers = (&mut self.claims.launchers, &self.index.claims.launchers);
        if let Some(other) = claim(launchers, &self.without, &(), owner) {
            let reason = format!("there is one launcher, and the application \"{other}\" is it");
            problems.push(problem("/type", reason));
        }
        let taken = problems.len();
        Findings { problems, taken }
    }

    /// As at Access, an application has tags that there are.
    fn tag_problems(&self, application: &Application) -> Vec<Problem> {
        let tags = application.launcher.tags.iter().enumerate();
        let unknown = tags.filter(|(_, tag)| !self.index.has_tag(tag.as_str()));
        let told = |(place, tag): (usize, &Tag)| {
            let tag = tag.as_str();
            problem(
                &format!("/tags/{place}"),
                format!("there is no tag \"{tag}\": make it first, by POST to /access/tags"),
            )
        };
        unknown.map(told).collect()
    }

    fn enter_reference(&mut self, kind: Kind, id: Uuid) {
        match kind {
            Kind::IdentityProvider => self.providers.insert(id),
            Kind::Policy => self.policies.insert(id),
            Kind::ServiceToken => self.service_tokens.insert(id),
            Kind::CustomPage => self.pages.insert(id),
            _ => false,
        };
    }

    /// Reads the access groups and lists there will be, where they are others than those that are stored.
    fn enter_referents(&mut self, planned: &[Planned], stored: &Stored, with: Option<&Document>) {
        let refers = |kind: Kind| matches!(kind, Kind::Group | Kind::List);
        if !self.without.iter().any(|(kind, _)| refers(*kind)) {
            return;
        }
        let stay = [Kind::Group, Kind::List].map(|kind| stored.of_kind(kind).iter());
        let stay = stay.into_iter().flatten();
        let stay = stay.filter(|object| !self.without.contains(&(object.kind, object.id)));
        let stay: Vec<Document> = stay.map(|object| object.document()).collect();
        let others = planned.iter().map(|planned| &planned.document).chain(with);
        self.referents = Arc::new(referents(others.chain(&stay)));
    }

    /// What there is for rules to refer to.
    fn around<'n>(&'n self, organization: &'n Organization) -> Around<'n> {
        Around {
            referents: &self.referents,
            accepted: &organization.accept_unevaluated_selectors,
            named: Some(Named {
                providers: &self.providers,
                service_tokens: &self.service_tokens,
            }),
        }
    }
}

/// Gives an object something, among what those have that are planned and what those have that are stored, but for these;
/// what the object is called that has it already.
fn claim<T: Clone + Eq + Hash>(
    (planned, stored): (&mut Owners<T>, &Owners<T>),
    without: &Keys,
    what: &T,
    owner: Owner<'_>,
) -> Option<String> {
    let other = planned
        .of(what, &Keys::new())
        .or_else(|| stored.of(what, without));
    let other = other.map(str::to_owned);
    planned.note(what.clone(), owner, true);
    other
}

fn provider_problems(
    document: &Document,
    secrets: &BTreeMap<String, SecretString>,
    clouds: &BTreeMap<String, Cloud>,
) -> Vec<Problem> {
    match read::identity_provider(IdpId(document.id), &document.body, secrets, clouds) {
        Ok(provider) => match &provider.entra.credential {
            ClientCredential::Certificate { certificate, key } => certificate_problems(certificate, key),
            ClientCredential::Secret { .. } | ClientCredential::FederatedTokenFile(_) => Vec::new(),
        },
        Err(problems) => problems,
    }
}

/// What is wrong with a client's certificate and its key. Entra takes RSA only
/// (<https://learn.microsoft.com/entra/identity-platform/certificate-credentials>).
fn certificate_problems(certificate: &str, key: &SecretString) -> Vec<Problem> {
    const CERTIFICATE: &str = "/config/client_certificate/certificate";
    const KEY: &str = "/config/client_certificate/key";
    if certificate.contains("PRIVATE KEY-----") {
        let reason = "there is a private key in it, which belongs into key: here it would be shown";
        return vec![problem(CERTIFICATE, reason.to_owned())];
    }
    match certified(certificate.as_bytes(), key.expose_secret().as_bytes()) {
        Ok(pair) if is_rsa(&pair) => Vec::new(),
        Ok(_) => vec![problem(KEY, "Entra takes RSA certificates only".to_owned())],
        Err(unfit) => {
            let place = |unfit: &Unfit| match unfit {
                Unfit::NoCertificate => CERTIFICATE,
                Unfit::NoKey | Unfit::OfAnother | Unfit::Unusable(_) => KEY,
            };
            unfit
                .iter()
                .map(|unfit| problem(place(unfit), unfit.to_string()))
                .collect()
        }
    }
}

/// Names are shown on pages, in terminals and in logs: what is not seen in them could make them look like another's.
fn name_problems(document: &Document) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut hold = |pointer: String, name: Option<&Value>| {
        let unseen = name.and_then(Value::as_str).and_then(plain::unseen);
        problems.extend(unseen.map(|character| Problem {
            pointer,
            reason: format!(
                "there is a character in it that is not seen, U+{:04X}",
                u32::from(character)
            ),
        }));
    };
    hold("/name".to_owned(), document.body.get("name"));
    if document.kind == Kind::Application {
        let policies = document.body.get("policies").and_then(Value::as_array);
        for (index, policy) in policies.into_iter().flatten().enumerate() {
            hold(format!("/policies/{index}/name"), policy.get("name"));
        }
    }
    problems
}

fn service_token_problems(
    document: &Document,
    secrets: &BTreeMap<String, SecretString>,
    neighbours: &mut Neighbours<'_>,
) -> Vec<Problem> {
    match read::service_token(ServiceTokenId(document.id), &document.body, secrets) {
        Ok(token) => {
            let owner = of(Kind::ServiceToken, document.id, &token.name);
            let client_ids = (
                &mut neighbours.claims.client_ids,
                &neighbours.index.claims.client_ids,
            );
            let other = claim(client_ids, &neighbours.without, &token.client_id, owner);
            let reason = other.map(|other| format!("the service token \"{other}\" is called so"));
            reason
                .map(|reason| problem("/client_id", reason))
                .into_iter()
                .collect()
        }
        Err(problems) => problems,
    }
}

fn no_provider(pointer: &str, id: IdpId) -> Problem {
    problem(pointer, format!("no identity provider has the id {id}"))
}

fn problem(pointer: &str, reason: String) -> Problem {
    Problem {
        pointer: pointer.to_owned(),
        reason,
    }
}
