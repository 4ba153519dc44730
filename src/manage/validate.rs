//! Whether objects can stand: each by itself, and all of them together.

use std::collections::{BTreeMap, HashMap, HashSet};

use secrecy::SecretString;
use serde_json::Value;
use uuid::Uuid;

use super::plan::Planned;
use super::{Manage, ManageError, RefusedObject};
use crate::model::application::Application;
use crate::model::destination::Destination;
use crate::model::idp::Cloud;
use crate::model::ids::{
    ApiTokenId, AppId, AudTag, AuthorityId, ClientId, CustomPageId, GroupId, IdpId, ListId, PolicyId,
    ServiceTokenId,
};
use crate::model::organization::Organization;
use crate::policy::Referents;
use crate::snapshot::read::{self, Around, Named, Problem};
use crate::store::{Document, Kind};

/// What other objects refer to or clash with.
#[derive(Default)]
struct Neighbours {
    providers: HashSet<Uuid>,
    policies: HashSet<Uuid>,
    service_tokens: HashSet<Uuid>,
    /// Access groups and lists, as they will be.
    referents: Referents,
    pages: HashSet<Uuid>,
    /// Whose an address is, by the application's name.
    addresses: HashMap<Destination, String>,
    audiences: HashMap<AudTag, String>,
    /// Which service token is called so, by its name.
    client_ids: HashMap<ClientId, String>,
    /// Policies of their own that ask people for something more on the way in.
    asking: HashSet<Uuid>,
    /// The application that stands for the launcher, by its name.
    launcher: Option<String>,
}

impl Manage {
    /// Holds what is planned against itself and against the objects that stay beside it.
    pub(super) fn validate<'d>(
        &self,
        planned: &[Planned],
        staying: impl Iterator<Item = &'d Document>,
    ) -> Result<(), ManageError> {
        let mut neighbours = Neighbours::default();
        let staying: Vec<&Document> = staying.collect();
        for document in &staying {
            neighbours.enter(document);
        }
        let all = planned.iter().map(|planned| &planned.document);
        neighbours.enter_referents(all.chain(staying));
        for planned in planned {
            neighbours.enter_reference(planned.document.kind, planned.document.id);
            neighbours.enter_asking(&planned.document);
        }
        let mut refused = Vec::new();
        for planned in planned {
            let problems = self.problems(planned, &mut neighbours);
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
        } else {
            Err(ManageError::Refused(refused))
        }
    }

    fn problems(&self, planned: &Planned, neighbours: &mut Neighbours) -> Vec<Problem> {
        let document = &planned.document;
        match document.kind {
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
                    let mut problems = self.application_problems(&read.application, neighbours);
                    if read.launcher.is_some() {
                        problems.extend(neighbours.launcher_problems(&read.application));
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
                    problems
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
        }
    }

    fn application_problems(&self, application: &Application, neighbours: &mut Neighbours) -> Vec<Problem> {
        let mut problems = Vec::new();
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
            let taken = neighbours
                .addresses
                .insert(destination.clone(), application.name.clone());
            if let Some(other) = taken {
                problems.push(problem(
                    "/destinations",
                    format!("{destination} belongs to the application \"{other}\""),
                ));
            }
        }
        let taken = neighbours
            .audiences
            .insert(application.aud.clone(), application.name.clone());
        if let Some(other) = taken {
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
        problems
    }
}

impl Neighbours {
    /// An object that stays as it is. One that cannot be read denies everyone already and claims nothing here.
    fn enter(&mut self, document: &Document) {
        self.enter_reference(document.kind, document.id);
        self.enter_asking(document);
        if document.kind == Kind::ServiceToken {
            self.enter_client_id(document);
        }
        if document.kind == Kind::Application
            && let Ok(read) = read::application(AppId(document.id), &document.body)
        {
            let application = read.application;
            if read.launcher.is_some() {
                self.launcher = Some(application.name.clone());
            }
            for destination in application.destinations {
                self.addresses.insert(destination, application.name.clone());
            }
            self.audiences.insert(application.aud, application.name);
        }
    }

    fn enter_asking(&mut self, document: &Document) {
        if document.kind == Kind::Policy
            && read::policy(PolicyId(document.id), &document.body)
                .is_ok_and(|policy| read::asks_on_the_way(&policy))
        {
            self.asking.insert(document.id);
        }
    }

    /// There is one launcher, and it asks nobody for anything but a sign-in.
    fn launcher_problems(&mut self, application: &Application) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(other) = self.launcher.replace(application.name.clone()) {
            let reason = format!("there is one launcher, and the application \"{other}\" is it");
            problems.push(problem("/type", reason));
        }
        let asking = application
            .policies
            .iter()
            .filter(|policy| self.asking.contains(&policy.0));
        problems.extend(asking.map(|policy| {
            problem(
                "/policies",
                format!("the policy {policy} {}", read::ASKS_ON_THE_WAY),
            )
        }));
        problems
    }

    /// What a service token that stays is called.
    fn enter_client_id(&mut self, document: &Document) {
        let written = document.body.get("client_id").and_then(Value::as_str);
        if let Some(client_id) = written.and_then(|text| text.parse().ok()) {
            self.client_ids.insert(client_id, document.name.clone());
        }
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

    /// Reads the access groups and lists there will be.
    fn enter_referents<'d>(&mut self, documents: impl Iterator<Item = &'d Document>) {
        let (mut groups, mut lists) = (Vec::new(), Vec::new());
        for document in documents {
            // What cannot be read is told of where it is written, and is not there for others.
            match document.kind {
                Kind::Group => groups.extend(read::group(GroupId(document.id), &document.body)),
                Kind::List => lists.extend(read::list(ListId(document.id), &document.body)),
                _ => {}
            }
        }
        self.referents = Referents::new(groups, lists);
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

fn provider_problems(
    document: &Document,
    secrets: &BTreeMap<String, SecretString>,
    clouds: &BTreeMap<String, Cloud>,
) -> Vec<Problem> {
    read::identity_provider(IdpId(document.id), &document.body, secrets, clouds)
        .err()
        .unwrap_or_default()
}

fn service_token_problems(
    document: &Document,
    secrets: &BTreeMap<String, SecretString>,
    neighbours: &mut Neighbours,
) -> Vec<Problem> {
    match read::service_token(ServiceTokenId(document.id), &document.body, secrets) {
        Ok(token) => {
            let other = neighbours.client_ids.insert(token.client_id, token.name);
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
