//! A directory that seems to have lost many of its people at once is not believed the first time.
//!
//! Only a round that read everything can say so by leaving people out. Whoever is disabled or deleted in a round of
//! changes was named, one by one, and is out at once, however many they are.

use std::collections::HashSet;

use super::round::Known;
use crate::entra::delta::PersonTold;
use crate::model::ids::ObjectId;

/// So many may go unasked.
const FEW: usize = 10;
/// Of more than that, one in so many.
const SHARE: usize = 5;

/// How many people would be put out by a round that read everybody, `strangers` among them who were never told of before, where those are too many to be believed at once: more
/// than ten and a fifth of those who may sign in now, or more than half of them and two.
pub(super) fn too_many(known: &[Known], strangers: usize, told: &[PersonTold]) -> Option<usize> {
    let staying: HashSet<ObjectId> = told
        .iter()
        .filter(|told| told.gone.is_none() && told.enabled != Some(false))
        .map(|told| told.object)
        .collect();
    let mut active = strangers;
    let mut out = strangers;
    for (_, object, _) in known.iter().filter(|(_, _, active)| *active) {
        active += 1;
        if !object.is_some_and(|object| staying.contains(&object)) {
            out += 1;
        }
    }
    let is_share = out > FEW && out.saturating_mul(SHARE) > active;
    let is_half = out > 2 && out.saturating_mul(2) > active;
    (is_share || is_half).then_some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::entra::delta::page::Entry as _;
    use crate::model::ids::ScimUserId;

    fn told(number: usize, enabled: bool) -> PersonTold {
        let entry = json!({ "id": object(number).to_string(), "accountEnabled": enabled });
        PersonTold::read(entry.as_object().unwrap()).unwrap()
    }

    fn object(number: usize) -> ObjectId {
        ObjectId(Uuid::from_u128(number as u128))
    }

    fn known(count: usize) -> Vec<Known> {
        (0..count)
            .map(|number| {
                (
                    ScimUserId(Uuid::from_u128(number as u128)),
                    Some(object(number)),
                    true,
                )
            })
            .collect()
    }

    #[test]
    fn a_few_go_unasked_and_many_are_held_back() {
        let of = |known_count: usize, stays: usize| {
            let told: Vec<_> = (0..stays).map(|number| told(number, true)).collect();
            too_many(&known(known_count), 0, &told)
        };
        assert_eq!(of(100, 80), None, "a fifth and no more");
        assert_eq!(of(100, 79), Some(21));
        assert_eq!(of(20, 10), None, "ten of twenty");
        assert_eq!(of(20, 9), Some(11));
        assert_eq!(of(4, 2), None);
        assert_eq!(of(4, 1), Some(3), "three of four");
        assert_eq!(of(2, 0), None);
        assert_eq!(of(0, 5), None, "the first round");
        assert_eq!(too_many(&[], 11, &[]), Some(11), "nobody of whom it knows");
    }

    #[test]
    fn whoever_is_out_already_or_has_another_id_counts_as_what_they_are() {
        let mut people = known(30);
        people[0].2 = false;
        let disabled: Vec<_> = (0..30).map(|number| told(number, number >= 12)).collect();
        assert_eq!(
            too_many(&people, 0, &disabled),
            Some(11),
            "one of the twelve was out before"
        );
        for person in &mut people {
            person.1 = None;
        }
        assert_eq!(
            too_many(&people, 0, &disabled),
            Some(29),
            "nobody of them is told of"
        );
    }
}
