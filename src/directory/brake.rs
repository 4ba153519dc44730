//! A directory that seems to have lost many of its people, groups or memberships at once is not believed the first time.
//!
//! Only a round that read everything can say so by leaving them out. Whoever is disabled or deleted in a round of
//! changes was named, one by one, and is out at once, however many they are.
//!
//! What is held back is kept, one by one. Another round confirms it where it says the same: what was not held back before
//! counts as if it alone were gone. What is held back for long is held back no more.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use uuid::Uuid;

use super::groups::{GroupNews, KnownGroup};
use crate::entra::delta::PersonTold;
use crate::model::ids::ObjectId;
use crate::store::{DirectoryHold, KnownPerson, Losses, Members};

/// So many may go unasked.
const FEW: usize = 10;
/// Of more than that, one in so many.
const SHARE: usize = 5;

/// How much later a round confirms one that was held back, in milliseconds, unless the operator asked for it.
const CONFIRMS_MS: i64 = 300_000;
/// How long what was held back is remembered, in milliseconds: a day.
const REMEMBERED_MS: i64 = 86_400_000;

/// What a round that read everything would take away, and of how much.
#[derive(Debug, Default)]
pub(super) struct Toll {
    pub(super) losses: Losses,
    /// Everybody who may sign in now.
    pub(super) people: usize,
    /// All groups known.
    pub(super) groups: usize,
    /// All memberships known.
    pub(super) members: usize,
    /// Whether no group at all is there any more, where some were. A directory without groups is rarer than an answer
    /// without them, so time alone confirms it never.
    pub(super) no_group: bool,
}

/// When a toll is looked at, and by what right it may be paid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) now_ms: i64,
    /// The directory and the application that told it.
    pub(super) source: &'a str,
    /// When the operator asked for a round last.
    pub(super) wanted_ms: i64,
}

/// What is to be done about a toll.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is so little that it is done.
    Little,
    /// It was told before, and is done.
    Confirmed,
    /// It waits to be told again.
    Held(DirectoryHold),
    /// It waits to be told again, and is not what was held back before.
    HeldAnew(DirectoryHold),
}

impl Toll {
    /// People who would be put out by a round that read everybody, `strangers` among them who were never told of before.
    pub(super) fn of_people(known: &[KnownPerson], strangers: &[ObjectId], told: &[PersonTold]) -> Self {
        let objects: HashSet<ObjectId> = known.iter().filter_map(|known| known.object).collect();
        let staying = || {
            let stays = |told: &&PersonTold| told.gone.is_none() && told.enabled != Some(false);
            told.iter().filter(stays)
        };
        let staying_objects: HashSet<ObjectId> = staying().map(|told| told.object).collect();
        // Whom another way of telling left without an object is found by name, unless it is somebody else's now.
        let staying_names: HashSet<String> = staying()
            .filter(|told| !objects.contains(&told.object))
            .filter_map(|told| Some(told.principal_name.value()?.to_lowercase()))
            .collect();
        let mut sum = Self::default();
        sum.losses.people.extend(strangers.iter().map(|object| object.0));
        sum.people = strangers.len();
        for known in known.iter().filter(|known| known.active) {
            sum.people += 1;
            let stays = match (known.object, &known.name) {
                (Some(object), _) => staying_objects.contains(&object),
                (None, Some(name)) => staying_names.contains(name),
                (None, None) => false,
            };
            if !stays {
                let key = known.object.map_or(known.id.0, |object| object.0);
                sum.losses.people.insert(key);
            }
        }
        sum
    }

    /// Groups and memberships that would go by a round that read every group, whoever comes instead.
    pub(super) fn of_groups(known: &[KnownGroup], told: &BTreeMap<ObjectId, GroupNews>) -> Self {
        let mut sum = Self {
            groups: known.len(),
            no_group: !known.is_empty() && told.values().all(GroupNews::is_gone),
            ..Self::default()
        };
        for KnownGroup { id, object, members } in known {
            let key = object.map_or(id.0, |object| object.0);
            sum.members += members.len();
            let news = object.and_then(|object| told.get(&object));
            let stays = news.filter(|news| !news.is_gone());
            if stays.is_none() {
                sum.losses.groups.insert(key);
            }
            let holds = |member: &&Uuid| stays.is_some_and(|news| news.holds(**member));
            let lost: Members = members.iter().filter(|member| !holds(member)).copied().collect();
            if !lost.is_empty() {
                sum.losses.members.insert(key, lost);
            }
        }
        sum
    }

    /// What is to be done about it, after this was held back.
    pub(super) fn judged(self, held: Option<DirectoryHold>, asked: Asked<'_>) -> Judged {
        if !self.no_group && !self.is_much(&self.losses) {
            return Judged::Little;
        }
        let is_known = |held: &DirectoryHold| {
            held.source == asked.source && asked.now_ms.saturating_sub(held.since_ms) < REMEMBERED_MS
        };
        let held = held.filter(is_known);
        let was_held = held.is_some();
        let is_same = |held: &DirectoryHold| {
            let others = self.losses.without(&held.losses);
            !self.is_much(&others) && (!self.no_group || others.groups.is_empty())
        };
        let same = held.filter(is_same);
        let Some(held) = same else {
            let waits = DirectoryHold {
                since_ms: asked.now_ms,
                source: asked.source.to_owned(),
                losses: self.losses,
            };
            return if was_held {
                Judged::HeldAnew(waits)
            } else {
                Judged::Held(waits)
            };
        };
        let is_later = !self.no_group && asked.now_ms.saturating_sub(held.since_ms) >= CONFIRMS_MS;
        if is_later || asked.wanted_ms > held.since_ms {
            Judged::Confirmed
        } else {
            // What is added to it from round to round was not told for so long.
            Judged::Held(held)
        }
    }

    /// Whether so much is too much to be believed at once.
    fn is_much(&self, losses: &Losses) -> bool {
        is_many(losses.people.len(), self.people)
            || is_many(losses.groups.len(), self.groups)
            || is_many(losses.memberships(), self.members)
    }
}

impl fmt::Display for Toll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            losses,
            people,
            groups,
            members,
            no_group,
        } = self;
        if *no_group {
            return write!(f, "Graph lists no group at all, and {groups} known would go");
        }
        if *groups > 0 {
            let (lost, left) = (losses.groups.len(), losses.memberships());
            return write!(
                f,
                "{lost} of {groups} groups and {left} of {members} memberships would go"
            );
        }
        write!(f, "{} of {people} people would be put out", losses.people.len())
    }
}

/// More than ten and a fifth, or more than two and half of all.
fn is_many(lost: usize, of: usize) -> bool {
    let is_share = lost > FEW && lost.saturating_mul(SHARE) > of;
    let is_half = lost > 2 && lost.saturating_mul(2) > of;
    is_share || is_half
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::groups::merged;
    use super::*;
    use crate::entra::delta::GroupTold;
    use crate::entra::delta::page::Entry as _;
    use crate::model::ids::{ScimGroupId, ScimUserId};

    fn told(number: usize, enabled: bool) -> PersonTold {
        let entry = json!({ "id": object(number).to_string(), "accountEnabled": enabled });
        PersonTold::read(entry.as_object().unwrap()).unwrap()
    }

    /// How many are lost, where that is too many.
    fn many(known: &[KnownPerson], strangers: &[ObjectId], told: &[PersonTold]) -> Option<usize> {
        let sum = Toll::of_people(known, strangers, told);
        sum.is_much(&sum.losses).then(|| sum.losses.count())
    }

    fn object(number: usize) -> ObjectId {
        ObjectId(Uuid::from_u128(number as u128))
    }

    fn known(count: usize) -> Vec<KnownPerson> {
        (0..count)
            .map(|number| KnownPerson {
                id: ScimUserId(Uuid::from_u128(number as u128)),
                object: Some(object(number)),
                active: true,
                name: None,
            })
            .collect()
    }

    #[test]
    fn a_few_go_unasked_and_many_are_held_back() {
        let of = |known_count: usize, stays: usize| {
            let told: Vec<_> = (0..stays).map(|number| told(number, true)).collect();
            many(&known(known_count), &[], &told)
        };
        assert_eq!(of(100, 80), None, "a fifth and no more");
        assert_eq!(of(100, 79), Some(21));
        assert_eq!(of(20, 10), None, "ten of twenty");
        assert_eq!(of(20, 9), Some(11));
        assert_eq!(of(4, 2), None);
        assert_eq!(of(4, 1), Some(3), "three of four");
        assert_eq!(of(2, 0), None);
        assert_eq!(of(0, 5), None, "the first round");
        let strangers: Vec<_> = (0..11).map(object).collect();
        assert_eq!(many(&[], &strangers, &[]), Some(11), "nobody of whom it knows");
    }

    #[test]
    fn whoever_is_out_already_or_has_another_id_counts_as_what_they_are() {
        let mut people = known(30);
        people[0].active = false;
        let disabled: Vec<_> = (0..30).map(|number| told(number, number >= 12)).collect();
        assert_eq!(
            many(&people, &[], &disabled),
            Some(11),
            "one of the twelve was out before"
        );
        for person in &mut people {
            person.object = None;
        }
        assert_eq!(
            many(&people, &[], &disabled),
            Some(29),
            "nobody of them is told of"
        );
    }

    #[test]
    fn whoever_has_another_id_is_found_by_name_unless_the_name_is_somebody_elses() {
        let named = |number: usize, name: String| {
            let entry = json!({ "id": object(number).to_string(), "accountEnabled": true, "userPrincipalName": name });
            PersonTold::read(entry.as_object().unwrap()).unwrap()
        };
        let mut people = known(30);
        for (number, person) in people.iter_mut().enumerate().skip(5) {
            person.object = None;
            person.name = Some(format!("p{number}@x.example"));
        }
        let told = |first: usize| -> Vec<_> {
            (0..30)
                .map(|number| named(number + first, format!("P{number}@x.example")))
                .collect()
        };
        assert_eq!(many(&people, &[], &told(0)), None);
        // Five whose objects are known have names that were others'.
        let mut renamed = told(0);
        for (number, told) in renamed.iter_mut().take(5).enumerate() {
            *told = named(number, format!("P{}@x.example", number + 5));
        }
        renamed.drain(5..10);
        let sum = Toll::of_people(&people, &[], &renamed);
        assert_eq!((sum.losses.count(), sum.people), (5, 30));
    }

    const MINUTE: i64 = 60_000;

    fn sum(lost: std::ops::Range<usize>) -> Toll {
        let known = known(100);
        let stays = |number: &usize| !lost.contains(number);
        let told: Vec<_> = (0..100).filter(stays).map(|number| told(number, true)).collect();
        Toll::of_people(&known, &[], &told)
    }

    fn asked(minutes: i64, wanted: i64) -> Asked<'static> {
        Asked {
            now_ms: minutes * MINUTE,
            source: "a",
            wanted_ms: wanted * MINUTE,
        }
    }

    fn hold(lost: std::ops::Range<usize>) -> DirectoryHold {
        match sum(lost).judged(None, asked(100, 50)) {
            Judged::Held(hold) => hold,
            judged => panic!("{judged:?}"),
        }
    }

    #[test]
    fn a_round_confirms_what_it_says_again_five_minutes_later_or_when_the_operator_asks() {
        let again = |lost, minutes, wanted| sum(lost).judged(Some(hold(0..30)), asked(minutes, wanted));
        assert_eq!(again(0..30, 104, 100), Judged::Held(hold(0..30)));
        assert_eq!(again(0..30, 105, 50), Judged::Confirmed);
        assert_eq!(again(0..30, 101, 101), Judged::Confirmed);
        assert_eq!(again(5..28, 105, 50), Judged::Confirmed, "some are back");
        assert_eq!(
            again(0..40, 105, 50),
            Judged::Confirmed,
            "ten more may go unasked"
        );
        assert_eq!(
            again(0..40, 101, 50),
            Judged::Held(hold(0..30)),
            "as it was first held"
        );
        assert_eq!(again(0..10, 101, 50), Judged::Little);
    }

    #[test]
    fn what_was_not_held_back_before_is_held_back_now() {
        for (lost, minutes, source) in [
            (0..60, 110, "a"),
            (30..55, 110, "a"),
            (0..30, 110, "b"),
            (0..30, 1540, "a"),
        ] {
            let asked = Asked {
                source,
                ..asked(minutes, minutes)
            };
            let judged = sum(lost.clone()).judged(Some(hold(0..30)), asked);
            let (Judged::Held(held) | Judged::HeldAnew(held)) = judged else {
                panic!("{lost:?} after {minutes} minutes is {judged:?}")
            };
            assert_eq!((held.since_ms, held.losses), (minutes * MINUTE, sum(lost).losses));
        }
        let judged = sum(0..60).judged(Some(hold(0..30)), asked(110, 110));
        assert!(matches!(judged, Judged::HeldAnew(_)), "{judged:?}");
    }

    /// A group of forty, of whom those in these places are told of.
    fn of_group(told: std::ops::Range<usize>) -> Toll {
        let known = KnownGroup {
            id: ScimGroupId(Uuid::nil()),
            object: Some(object(1000)),
            members: (0..40).map(|number| object(number).0).collect(),
        };
        let members: Vec<_> = told
            .map(|number| json!({ "@odata.type": "#microsoft.graph.user", "id": object(number).to_string() }))
            .collect();
        let entry =
            json!({ "id": object(1000).to_string(), "displayName": "Team", "members@delta": members });
        let told = GroupTold::read(entry.as_object().unwrap()).unwrap();
        Toll::of_groups(&[known], &merged(&[told]))
    }

    #[test]
    fn members_who_are_lost_count_whoever_comes_instead() {
        let lost = |told| of_group(told).losses.memberships();
        assert_eq!(
            (lost(0..40), lost(0..80), lost(12..52), lost(100..140)),
            (0, 0, 12, 40)
        );
        // Twelve are held back; twelve others do not confirm it, and ten of the same do.
        let Judged::Held(held) = of_group(12..52).judged(None, asked(100, 50)) else {
            panic!("not held back")
        };
        let again = |told| of_group(told).judged(Some(held.clone()), asked(110, 50));
        assert!(matches!(again(0..28), Judged::HeldAnew(_)));
        assert_eq!(again(12..40), Judged::Confirmed);
        assert_eq!(again(2..40), Judged::Little);
    }
}
