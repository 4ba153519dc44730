//! What a directory tells, by SCIM or read by Graph: people and groups as they are kept, and what follows for live
//! sessions.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::email::EmailAddress;
use super::identity::{Email, Group, Groups, Identity};
use super::ids::ObjectId;

/// After how long without a request the operator is told, where nothing else is said. A directory in which nothing
/// changes may be silent for long.
pub const SILENCE: Duration = Duration::from_hours(24);

/// How long the provisioning log is kept, where nothing else is said: as that of logins, half a year.
pub const LOG_KEPT: Duration = Duration::from_hours(183 * 24);

/// The shortest that it may be kept: whoever may change the provider cannot have his own deeds forgotten in a moment.
pub const LOG_KEPT_LEAST: Duration = Duration::from_hours(24);

/// Why no less.
pub const FORGOTTEN_AT_ONCE: &str = "it is less than a day (24h), in which nobody would see what was done";

/// Why the log is kept as long as the silence lasts that is told of.
pub const FORGOTTEN_TOO_SOON: &str = "silence_alarm is longer: what is forgotten sooner cannot be missed";

/// How often a directory is read by Graph, where nothing else is said.
pub const READ_EVERY: Duration = Duration::from_mins(5);

/// Why the silence that is told of is longer than the pause between two rounds of reading a directory by Graph.
pub const TOLD_OF_EACH_PAUSE: &str =
    "it is not longer than interval: each pause between two readings would be told of";

/// How a provider's directory may tell of its people (Access: `scim_config`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimSettings {
    /// Whether somebody who is deactivated or deleted is signed out at once and stays out.
    pub user_deprovision: bool,
    /// Whether such a person's seat is freed.
    pub seat_deprovision: bool,
    /// What becomes of live sessions when the person's name, address or groups change.
    pub identity_update: IdentityUpdate,
    /// Ours: whether a sign-in reactivates somebody whom the directory deactivated, as Access does.
    pub reactivate_on_login: bool,
    /// Ours: after how long without a request the operator is told; `None` for never.
    pub silence: Option<Duration>,
    /// Ours: how long requests stay in the provisioning log.
    pub log_kept: Duration,
    /// SHA-256 of the secret that the configuration file declares, in hexadecimal. Without one the store holds that of
    /// the secret generated last.
    pub declared_secret_hash: Option<String>,
}

/// How a provider's directory is read by Graph (ours: `directory_sync`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSettings {
    /// How often.
    pub every: Duration,
    /// What follows from what it tells, as if it had told it by SCIM.
    pub told: ScimSettings,
}

/// Whether an address says who of a directory is meant, now or when the directory comes to tell of its people. A guest's
/// address is another organization's word, and says nothing of who is meant here.
pub fn is_linkable(guest: bool, email: Option<&Email>) -> bool {
    email.is_some_and(|email| email.trusted && !guest)
}

/// What a change in the directory does to live sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityUpdate {
    /// Their identities change with it; the next request is decided by them.
    Automatic,
    /// Where groups change, they end.
    Reauth,
    /// Nothing; the next sign-in finds out.
    NoAction,
}

impl IdentityUpdate {
    /// The words for it, as `identity_update_behavior` has them.
    pub const WORDS: [(&str, Self); 3] = [
        ("automatic", Self::Automatic),
        ("reauth", Self::Reauth),
        ("no_action", Self::NoAction),
    ];
}

/// A person as the directory describes them: attributes of SCIM's core and enterprise schema, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRecord(pub Map<String, Value>);

impl UserRecord {
    /// The name the person signs in with.
    pub fn user_name(&self) -> &str {
        self.text("userName").unwrap_or_default()
    }

    /// The directory's own id of the person.
    pub fn external_id(&self) -> Option<&str> {
        self.text("externalId")
    }

    /// The person's object in Entra, where the directory gives it as `externalId`.
    pub fn object(&self) -> Option<ObjectId> {
        self.external_id()?.parse().ok()
    }

    /// Whether the person may sign in. Whoever is not said to be active is not.
    pub fn is_active(&self) -> bool {
        self.0.get("active").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The name for people.
    pub fn display_name(&self) -> Option<&str> {
        let formatted = || self.name_part("formatted");
        self.text("displayName").or_else(formatted)
    }

    /// Part of the name: `givenName`, `familyName`, `formatted`.
    pub fn name_part(&self, part: &str) -> Option<&str> {
        self.0.get("name")?.get(part)?.as_str()
    }

    /// Every address, as it is written.
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        let emails = self.0.get("emails").and_then(Value::as_array);
        emails
            .into_iter()
            .flatten()
            .filter_map(|email| email.get("value")?.as_str())
    }

    /// The address for work; where several are, the primary one.
    pub fn work_email(&self) -> Option<&str> {
        let emails = self.0.get("emails")?.as_array()?;
        let of_work = |email: &&Value| {
            let kind = email.get("type").and_then(Value::as_str);
            kind.is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
        };
        let is_primary = |email: &&Value| email.get("primary").and_then(Value::as_bool) == Some(true);
        let found = emails
            .iter()
            .filter(of_work)
            .find(is_primary)
            .or_else(|| emails.iter().find(of_work));
        found?.get("value")?.as_str()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

/// A group as the directory describes it. Who is in it is kept apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRecord {
    /// Its name.
    pub display_name: String,
    /// The directory's own id of it.
    pub external_id: Option<String>,
}

impl GroupRecord {
    /// The group in Entra, where the directory gives its object as `externalId`.
    pub fn object(&self) -> Option<ObjectId> {
        self.external_id.as_deref()?.parse().ok()
    }

    /// The group as identities have it; `None` where nothing tells which group of Entra it is.
    pub fn group(&self) -> Option<Group> {
        Some(Group {
            id: self.object()?,
            name: Some(self.display_name.clone()),
        })
    }
}

/// What the directory said of a person's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChange {
    /// Groups that the person is in now.
    pub added: Vec<Group>,
    /// Groups that the person is in no more.
    pub removed: Vec<ObjectId>,
}

impl GroupChange {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Takes what the directory says next into account.
    pub fn then(&mut self, next: &Self) {
        self.added.retain(|group| !next.removed.contains(&group.id));
        self.removed
            .retain(|id| !next.added.iter().any(|group| group.id == *id));
        for group in &next.added {
            if !self.added.iter().any(|known| known.id == group.id) {
                self.added.push(group.clone());
            }
        }
        for id in &next.removed {
            if !self.removed.contains(id) {
                self.removed.push(*id);
            }
        }
    }

    /// That these groups were taken, of those that are held.
    pub fn taking(taken: &[ObjectId], groups: &Groups) -> Self {
        let is_held = |taken: &&ObjectId| groups.held().iter().any(|group| group.id == **taken);
        Self {
            added: Vec::new(),
            removed: taken.iter().filter(is_held).copied().collect(),
        }
    }

    /// What is known of a person's groups once Graph was asked after the directory said this. Of the groups it named the
    /// directory decides; where the two disagree, nothing that is not held is certain.
    pub fn reconcile(&self, read: &[Group]) -> Groups {
        let mut held: Vec<Group> = read.to_vec();
        held.retain(|group| !self.removed.contains(&group.id));
        let disagree = held.len() < read.len();
        for group in &self.added {
            if !held.iter().any(|known| known.id == group.id) {
                held.push(group.clone());
            }
        }
        if disagree {
            let reason = "Graph still tells of a group that the directory took away by SCIM".to_owned();
            return Groups::Unknown {
                partial: held,
                reason,
            };
        }
        Groups::Known { groups: held }
    }

    /// What is known of a person's groups where they cannot be read again: of what the person holds, a group that was
    /// taken may have been the reason for all that the directory does not tell of.
    pub fn without_inherited(&self, groups: &mut Groups, told: &[Group]) {
        if self.removed.is_empty() {
            return;
        }
        let mut partial = groups.held().to_vec();
        partial.retain(|group| told.iter().any(|told| told.id == group.id));
        *groups = Groups::Unknown {
            partial,
            reason: "the directory took groups away by SCIM, and inherited ones cannot be read again"
                .to_owned(),
        };
    }

    /// What is known of a person's groups once the directory said this.
    ///
    /// Of the groups named, the directory decides. Those inherited from them it never tells of
    /// (<https://learn.microsoft.com/entra/identity/app-provisioning/how-provisioning-works#assignment-based-scoping>), so
    /// the list is complete no more until it is read again: what is not in it is unknown.
    pub fn apply(&self, groups: &mut Groups) {
        let mut held = groups.held().to_vec();
        held.retain(|group| !self.removed.contains(&group.id));
        for group in &self.added {
            match held.iter_mut().find(|known| known.id == group.id) {
                Some(known) => known.name.clone_from(&group.name),
                None => held.push(group.clone()),
            }
        }
        *groups = Groups::Unknown {
            partial: held,
            reason: "the directory changed them by SCIM, which tells nothing of inherited ones".to_owned(),
        };
    }
}

/// Adds the groups that the directory told of by SCIM to what a sign-in found. A complete list needs none: it was read a
/// moment ago, nested groups included, and SCIM is up to forty minutes old.
pub fn complete_groups(found: &mut Groups, told: &[Group]) {
    if found.complete() || told.is_empty() {
        return;
    }
    let reason = match found {
        Groups::Unknown { reason, .. } => reason.clone(),
        _ => "the provider is not asked for groups, and SCIM tells nothing of inherited ones".to_owned(),
    };
    let mut partial = found.held().to_vec();
    for group in told {
        if !partial.iter().any(|known| known.id == group.id) {
            partial.push(group.clone());
        }
    }
    *found = Groups::Unknown { partial, reason };
}

/// Puts what the directory changed of a person under an identity: names, and the address where it was one of the
/// directory's and a sign-in would rely on the new one.
pub fn update_identity(identity: &mut Identity, before: &UserRecord, after: &UserRecord) {
    let moved = |old: Option<&str>, new: Option<&str>| (old != new).then(|| new.map(str::to_owned)).flatten();
    if let Some(name) = moved(before.display_name(), after.display_name()) {
        identity.name = Some(name);
    }
    if let Some(name) = moved(before.name_part("givenName"), after.name_part("givenName")) {
        identity.given_name = Some(name);
    }
    if let Some(name) = moved(before.name_part("familyName"), after.name_part("familyName")) {
        identity.family_name = Some(name);
    }
    // A guest's address is vouched for by nobody here, whatever a directory writes into it.
    if !identity.guest
        && let Some(email) = &mut identity.email
    {
        update_email(email, before, after);
    }
}

/// Puts the address that the directory tells of now in the place of one that was the directory's, as a sign-in would.
///
/// The name that a person signs in with lies in a domain that Entra has verified; `mail` is whatever somebody wrote there
/// (<https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization>). A sign-in is told by
/// `xms_edov` that nobody verified a domain, and passes over the address; here nothing tells, so an address in a domain
/// that is neither that of the name nor that of the address until now is passed over too.
fn update_email(email: &mut Email, before: &UserRecord, after: &UserRecord) {
    let address = |text: Option<&str>| text?.parse::<EmailAddress>().ok();
    let name = address(Some(after.user_name()));
    // Which of the two the sign-in took is seen from what it was.
    let is_present = |text: Option<&str>| address(text).as_ref() == Some(&email.address);
    let told = if is_present(before.work_email()) {
        address(after.work_email())
    } else if is_present(Some(before.user_name())) {
        name.clone()
    } else {
        None
    };
    let Some(told) = told else { return };
    let is_verified = [Some(&email.address), name.as_ref()]
        .into_iter()
        .flatten()
        .any(|known| known.domain() == told.domain());
    if is_verified {
        email.address = told;
    } else if let Some(name) = name {
        email.address = name;
    } else {
        // The one until now is the person's no more, and the new one may be anybody's.
        email.trusted = false;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn group(number: u128) -> Group {
        Group {
            id: ObjectId(Uuid::from_u128(number)),
            name: Some(format!("group {number}")),
        }
    }

    #[test]
    fn a_change_adds_and_takes_groups_and_leaves_the_rest_unknown() {
        let mut groups = Groups::Known {
            groups: vec![group(1), group(2)],
        };
        let change = GroupChange {
            added: vec![group(3)],
            removed: vec![group(1).id],
        };
        change.apply(&mut groups);
        assert_eq!(groups.held(), [group(2), group(3)]);
        assert!(!groups.complete(), "what is inherited is not known");
        let again = groups.clone();
        change.apply(&mut groups);
        assert_eq!(groups, again);
    }

    #[test]
    fn what_graph_tells_afterwards_is_held_against_what_the_directory_said() {
        let mut change = GroupChange {
            added: vec![group(3)],
            removed: vec![group(1).id],
        };
        let known = change.reconcile(&[group(2), group(4)]);
        assert_eq!(known.held(), [group(2), group(4), group(3)]);
        assert!(known.complete(), "nested ones included");
        let disputed = change.reconcile(&[group(1), group(2)]);
        assert_eq!(disputed.held(), [group(2), group(3)]);
        assert!(!disputed.complete());
        change.then(&GroupChange {
            added: vec![group(1)],
            removed: vec![group(3).id],
        });
        assert_eq!(
            (change.added.as_slice(), change.removed.as_slice()),
            (&[group(1)][..], &[group(3).id][..])
        );
    }

    #[test]
    fn what_may_be_inherited_goes_with_a_group_that_was_taken() {
        let all = Groups::Known {
            groups: vec![group(1), group(2), group(3)],
        };
        let taken = GroupChange {
            added: Vec::new(),
            removed: vec![group(1).id],
        };
        let mut groups = all.clone();
        taken.apply(&mut groups);
        taken.without_inherited(&mut groups, &[group(2)]);
        assert_eq!(groups.held(), [group(2)]);
        let mut groups = all.clone();
        GroupChange::default().without_inherited(&mut groups, &[]);
        assert_eq!(groups, all, "what is added takes nothing");
    }

    #[test]
    fn a_complete_list_of_a_sign_in_is_left_alone_and_an_incomplete_one_is_filled() {
        let mut known = Groups::Known {
            groups: vec![group(1)],
        };
        complete_groups(&mut known, &[group(2)]);
        assert_eq!(known.held(), [group(1)]);
        let mut partial = Groups::Unknown {
            partial: vec![group(1)],
            reason: "throttled".to_owned(),
        };
        complete_groups(&mut partial, &[group(1), group(2)]);
        assert_eq!(partial.held(), [group(1), group(2)]);
        let mut none = Groups::NotAsked;
        complete_groups(&mut none, &[group(2)]);
        assert!(!none.complete() && none.held() == [group(2)]);
    }

    #[test]
    fn the_work_address_is_the_primary_one() {
        let record = |emails: Value| UserRecord(json!({ "emails": emails }).as_object().unwrap().clone());
        let two = record(json!([
            { "type": "home", "value": "h@x.example", "primary": true },
            { "type": "Work", "value": "a@x.example" },
            { "type": "work", "value": "b@x.example", "primary": true }
        ]));
        assert_eq!(two.work_email(), Some("b@x.example"));
        assert_eq!(two.emails().count(), 3);
        assert_eq!(
            record(json!([{ "type": "home", "value": "h@x.example" }])).work_email(),
            None
        );
        assert!(!two.is_active(), "nothing says so");
    }
}
