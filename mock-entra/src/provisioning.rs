//! The provisioning service: a job that tells an application by SCIM of the people and groups assigned to it, in the order
//! and in the dialects of Entra.
//!
//! <https://learn.microsoft.com/entra/identity/app-provisioning/how-provisioning-works>,
//! <https://learn.microsoft.com/entra/identity/app-provisioning/use-scim-to-provision-users-and-groups>
//!
//! The first cycle is the *initial* one, later ones are *incremental*: users first, then groups without members, then
//! memberships. Nothing runs by itself; whoever holds the job says when a cycle comes.

mod client;
mod dialect;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::client::{Answer, Client, Unreachable};
pub use self::dialect::Dialect;
use self::dialect::{Attributes, ENTERPRISE};
use crate::directory::{Directory, MemberRef, Tenant, User};

/// A job. Cheap to clone; clones are the same job.
#[derive(Clone)]
pub struct Provisioning {
    directory: Directory,
    tenant: String,
    client: Client,
    dialect: Dialect,
    assigned: BTreeSet<MemberRef>,
    state: Arc<Mutex<State>>,
}

/// What the service remembers of the application between cycles.
#[derive(Default)]
struct State {
    people: BTreeMap<String, Person>,
    groups: BTreeMap<String, GroupThere>,
    quarantined: bool,
}

/// A person as the application was told of them.
struct Person {
    id: String,
    told: Attributes,
}

/// A group as the application was told of it.
struct GroupThere {
    id: String,
    name: String,
    /// Members by object id.
    members: BTreeSet<String>,
}

/// What became of a cycle.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every request: method, path below the Tenant URL, and status; 0 where nobody answered.
    pub requests: Vec<(String, String, u16)>,
    /// What went wrong, one line each. Each of them is tried again with the next cycle.
    pub failures: Vec<String>,
    /// Whether the job is in quarantine: bad credentials, or no SCIM where it was expected. Cycles do nothing until
    /// [`Provisioning::restart`].
    pub quarantined: bool,
}

/// How the deletion of a person is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gone {
    /// `active` becomes false: disabled, unassigned, deleted softly.
    Softly,
    /// Purged, or thirty days after.
    ForGood,
}

impl Provisioning {
    /// A job of a tenant of this directory, for an application at a Tenant URL with a Secret token. Nobody is assigned
    /// yet. Only `http` addresses are spoken to: everything here is a test on one machine.
    pub fn new(directory: &Directory, tenant: &str, tenant_url: &str, secret: &str) -> Self {
        Self {
            directory: directory.clone(),
            tenant: tenant.to_owned(),
            client: Client::new(tenant_url, secret),
            dialect: Dialect::Default,
            assigned: BTreeSet::new(),
            state: Arc::default(),
        }
    }

    /// Speaks another dialect: what `?aadOptscim062020` behind the Tenant URL asks for.
    #[must_use]
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Assigns a person, or a group with its direct members; those of groups inside it are never told of.
    #[must_use]
    pub fn assign(mut self, member: MemberRef) -> Self {
        self.assigned.insert(member);
        self
    }

    /// Assigns a person of the tenant, by user principal name or object id, or a group, by name or object id; `None` where
    /// nobody and none is called so.
    #[must_use]
    pub fn assign_named(self, name: &str) -> Option<Self> {
        let tenant = self.tenant();
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        let user = tenant.users.iter().find(|user| is(&user.upn) || is(&user.oid));
        let group = || {
            tenant
                .groups
                .values()
                .find(|group| is(&group.name) || is(&group.id))
        };
        let member = match user {
            Some(user) => MemberRef::user(&user.oid),
            None => MemberRef::group(&group()?.id),
        };
        Some(self.assign(member))
    }

    /// Assigns every person and every group that the tenant has now.
    #[must_use]
    pub fn assign_all(mut self) -> Self {
        let tenant = self.tenant();
        let users = tenant.users.iter().map(|user| MemberRef::user(&user.oid));
        let groups = tenant.groups.values().map(|group| MemberRef::group(&group.id));
        self.assigned.extend(users.chain(groups));
        self
    }

    /// *Test Connection*: whether a person that nobody is can be looked for.
    pub async fn test_connection(&self) -> bool {
        let mut report = Report::default();
        let nobody = crate::random::guid();
        let answer = self.query(&mut report, "/Users", "userName", &nobody).await;
        answer.is_ok_and(|found| found.is_none()) && report.failures.is_empty()
    }

    /// A cycle: the initial one, or what has changed since.
    pub async fn cycle(&self) -> Report {
        let mut state = self.state.lock().await;
        let mut report = Report::default();
        if state.quarantined {
            report.quarantined = true;
            return report;
        }
        if self.cycle_of(&mut state, &mut report).await.is_err() {
            state.quarantined = true;
        }
        report.quarantined = state.quarantined;
        report
    }

    /// *Provision on demand*: one person, at once, in the old dialect whatever the address says.
    pub async fn on_demand(&self, oid: &str) -> Report {
        let mut state = self.state.lock().await;
        let mut report = Report::default();
        let tenant = self.tenant();
        if let Some(user) = tenant.users.iter().find(|user| user.oid == oid) {
            let job = Self {
                dialect: Dialect::Default,
                ..self.clone()
            };
            // A quarantine is the job's alone.
            let _ = job.tell_person(&mut state, &mut report, user).await;
        }
        report
    }

    /// Deletes for good what was deleted softly: somebody purged the account, or thirty days have passed.
    pub async fn purge(&self, oid: &str) -> Report {
        let mut state = self.state.lock().await;
        let mut report = Report::default();
        let _ = self.take_away(&mut state, &mut report, oid, Gone::ForGood).await;
        report
    }

    /// Ends a quarantine and forgets what is known of the application: the next cycle is an initial one.
    pub async fn restart(&self) {
        *self.state.lock().await = State::default();
    }

    fn tenant(&self) -> Arc<Tenant> {
        let tenant = self.directory.find_tenant(&self.tenant);
        tenant.unwrap_or_else(|| Arc::new(Tenant::new(&self.tenant, "")))
    }

    async fn cycle_of(&self, state: &mut State, report: &mut Report) -> Result<(), Unreachable> {
        let tenant = self.tenant();
        let scope = self.scope(&tenant);
        for user in tenant.users.iter().filter(|user| scope.contains(&user.oid)) {
            self.tell_person(state, report, user).await?;
        }
        let gone: Vec<String> = state
            .people
            .keys()
            .filter(|oid| !scope.contains(*oid))
            .cloned()
            .collect();
        for oid in gone {
            self.take_away(state, report, &oid, Gone::Softly).await?;
        }
        let assigned = |id: &String| self.assigned.contains(&MemberRef::Group(id.clone()));
        for group in tenant.groups.values().filter(|group| assigned(&group.id)) {
            self.tell_group(state, report, &group.id, &group.name).await?;
        }
        let gone: Vec<String> = state
            .groups
            .keys()
            .filter(|id| !assigned(id) || !tenant.groups.contains_key(*id))
            .cloned()
            .collect();
        for id in gone {
            self.delete_group(state, report, &id).await?;
        }
        for group in tenant.groups.values().filter(|group| assigned(&group.id)) {
            let members = group.members.iter().filter_map(|member| match member {
                MemberRef::User(oid) => Some(oid.clone()),
                // Not told of, and nobody is warned.
                MemberRef::Group(_) => None,
            });
            self.tell_members(state, report, &group.id, &members.collect())
                .await?;
        }
        Ok(())
    }

    /// The people assigned, directly or as direct members of an assigned group.
    fn scope(&self, tenant: &Tenant) -> BTreeSet<String> {
        let mut scope = BTreeSet::new();
        for member in &self.assigned {
            match member {
                MemberRef::User(oid) => {
                    scope.insert(oid.clone());
                }
                MemberRef::Group(id) => {
                    let members = tenant.groups.get(id).map(|group| group.members.as_slice());
                    for member in members.unwrap_or_default() {
                        if let MemberRef::User(oid) = member {
                            scope.insert(oid.clone());
                        }
                    }
                }
            }
        }
        scope
    }

    async fn tell_person(
        &self,
        state: &mut State,
        report: &mut Report,
        user: &User,
    ) -> Result<(), Unreachable> {
        let wanted = Attributes::of(user);
        if let Some(person) = state.people.get_mut(&user.oid) {
            if let Some(operations) = self.dialect.changes(&person.told, &wanted)
                && self
                    .patch(report, &format!("/Users/{}", person.id), &operations)
                    .await?
            {
                person.told = wanted;
            }
            return Ok(());
        }
        let found = self.query(report, "/Users", "userName", &user.upn).await?;
        let id = match found {
            Some(id) => {
                // Known there already: everything is asserted.
                let operations = self.dialect.all(&wanted);
                if !self.patch(report, &format!("/Users/{id}"), &operations).await? {
                    return Ok(());
                }
                id
            }
            // Disabled accounts are never created.
            None if !wanted.active => return Ok(()),
            None => match self.create(report, "/Users", &wanted.body()).await? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        state.people.insert(user.oid.clone(), Person { id, told: wanted });
        Ok(())
    }

    /// Somebody is out of scope: told once, and forgotten after a deletion for good.
    async fn take_away(
        &self,
        state: &mut State,
        report: &mut Report,
        oid: &str,
        how: Gone,
    ) -> Result<(), Unreachable> {
        let Some(person) = state.people.get_mut(oid) else {
            return Ok(());
        };
        let path = format!("/Users/{}", person.id);
        if how == Gone::ForGood {
            if self.delete(report, &path).await? {
                state.people.remove(oid);
            }
            return Ok(());
        }
        let inactive = Attributes {
            active: false,
            ..person.told.clone()
        };
        if let Some(operations) = self.dialect.changes(&person.told, &inactive)
            && self.patch(report, &path, &operations).await?
        {
            person.told = inactive;
        }
        Ok(())
    }

    async fn tell_group(
        &self,
        state: &mut State,
        report: &mut Report,
        object: &str,
        name: &str,
    ) -> Result<(), Unreachable> {
        if let Some(group) = state.groups.get_mut(object) {
            if group.name != name {
                let operations = self.dialect.rename(name);
                if self
                    .patch(report, &format!("/Groups/{}", group.id), &operations)
                    .await?
                {
                    name.clone_into(&mut group.name);
                }
            }
            return Ok(());
        }
        let found = self.query(report, "/Groups", "displayName", name).await?;
        let id = if let Some(id) = found {
            id
        } else {
            let body = json!({
                "schemas": [
                    "urn:ietf:params:scim:schemas:core:2.0:Group",
                    "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
                ],
                "externalId": object,
                "displayName": name,
                "meta": { "resourceType": "Group" }
            });
            match self.create(report, "/Groups", &body).await? {
                Some(id) => id,
                None => return Ok(()),
            }
        };
        let there = GroupThere {
            id,
            name: name.to_owned(),
            members: BTreeSet::new(),
        };
        state.groups.insert(object.to_owned(), there);
        Ok(())
    }

    async fn tell_members(
        &self,
        state: &mut State,
        report: &mut Report,
        object: &str,
        wanted: &BTreeSet<String>,
    ) -> Result<(), Unreachable> {
        let State { people, groups, .. } = state;
        let Some(group) = groups.get_mut(object) else {
            return Ok(());
        };
        // Whoever the application does not know yet comes with a later cycle.
        let known = |oid: &&String| people.contains_key(*oid);
        let come: Vec<&String> = wanted.difference(&group.members).filter(known).collect();
        let gone: Vec<&String> = group.members.difference(wanted).filter(known).collect();
        let ids = |oids: &[&String]| -> Vec<String> {
            oids.iter()
                .filter_map(|oid| Some(people.get(*oid)?.id.clone()))
                .collect()
        };
        let path = format!("/Groups/{}", group.id);
        let (come_ids, gone_ids) = (ids(&come), ids(&gone));
        if !come_ids.is_empty()
            && self
                .patch(report, &path, &self.dialect.add_members(&come_ids))
                .await?
        {
            let come: Vec<String> = come.into_iter().cloned().collect();
            group.members.extend(come);
        }
        if !gone_ids.is_empty()
            && self
                .patch(report, &path, &self.dialect.remove_members(&gone_ids))
                .await?
        {
            group.members.retain(|oid| wanted.contains(oid));
        }
        Ok(())
    }

    async fn delete_group(
        &self,
        state: &mut State,
        report: &mut Report,
        object: &str,
    ) -> Result<(), Unreachable> {
        if let Some(group) = state.groups.get(object)
            && self.delete(report, &format!("/Groups/{}", group.id)).await?
        {
            state.groups.remove(object);
        }
        Ok(())
    }

    /// The id of the resource whose attribute has this value.
    async fn query(
        &self,
        report: &mut Report,
        path: &str,
        attribute: &str,
        value: &str,
    ) -> Result<Option<String>, Unreachable> {
        let filter = format!("{attribute} eq \"{}\"", value.replace('"', "\\\""));
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let excluded = if path == "/Groups" {
            "excludedAttributes=members&"
        } else {
            ""
        };
        let path = format!("{path}?{excluded}filter={filter}");
        let answer = self.ask(report, "GET", &path, None).await?;
        if answer.status == 404 {
            report
                .failures
                .push("there is no SCIM at the Tenant URL".to_owned());
            return Err(Unreachable);
        }
        let found = answer.body.pointer("/Resources/0/id").and_then(Value::as_str);
        Ok(found.map(str::to_owned))
    }

    async fn create(
        &self,
        report: &mut Report,
        path: &str,
        body: &Value,
    ) -> Result<Option<String>, Unreachable> {
        let answer = self.ask(report, "POST", path, Some(body)).await?;
        let id = answer.body.get("id").and_then(Value::as_str).map(str::to_owned);
        Ok(id.filter(|_| answer.is_success()))
    }

    async fn patch(&self, report: &mut Report, path: &str, operations: &Value) -> Result<bool, Unreachable> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations
        });
        Ok(self.ask(report, "PATCH", path, Some(&body)).await?.is_success())
    }

    async fn delete(&self, report: &mut Report, path: &str) -> Result<bool, Unreachable> {
        let answer = self.ask(report, "DELETE", path, None).await?;
        Ok(answer.is_success() || answer.status == 404)
    }

    /// One request. Bad credentials, and nobody there at all, end the cycle.
    async fn ask(
        &self,
        report: &mut Report,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Unreachable> {
        let answer = self.client.ask(method, path, body).await;
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        report.requests.push((method.to_owned(), path.to_owned(), status));
        let Ok(answer) = answer else {
            report.failures.push("the Tenant URL does not answer".to_owned());
            return Err(Unreachable);
        };
        if matches!(answer.status, 401 | 403) {
            report
                .failures
                .push("the Secret token is not accepted".to_owned());
            return Err(Unreachable);
        }
        let is_gone = method == "DELETE" && answer.status == 404;
        if !answer.is_success() && !is_gone {
            let detail = answer
                .body
                .get("detail")
                .and_then(Value::as_str)
                .unwrap_or_default();
            report
                .failures
                .push(format!("{method} {path}: {} {detail}", answer.status));
        }
        Ok(answer)
    }
}

/// The attributes of the default mapping, `externalId` from `objectId`.
impl Attributes {
    fn of(user: &User) -> Self {
        Self {
            user_name: user.upn.clone(),
            external_id: user.oid.clone(),
            active: user.enabled,
            display_name: user.name.clone(),
            given_name: user.given_name.clone(),
            family_name: user.surname.clone(),
            mail: user.mail.clone(),
            department: user
                .claims
                .get("department")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }
    }

    /// A new person. Nothing is sent of what is empty.
    fn body(&self) -> Value {
        let mut name = serde_json::Map::new();
        for (part, value) in [("givenName", &self.given_name), ("familyName", &self.family_name)] {
            name.extend(
                value
                    .as_ref()
                    .map(|value| (part.to_owned(), value.as_str().into())),
            );
        }
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "externalId": self.external_id,
            "userName": self.user_name,
            "active": self.active,
            "displayName": self.display_name,
            "meta": { "resourceType": "User" },
            "name": name,
            "roles": []
        });
        if let Value::Object(body) = &mut body {
            if let Some(mail) = &self.mail {
                let mail = json!([{ "primary": true, "type": "work", "value": mail }]);
                body.insert("emails".to_owned(), mail);
            }
            if let Some(department) = &self.department {
                body.insert(ENTERPRISE.to_owned(), json!({ "department": department }));
            }
        }
        body
    }
}
