//! Access groups in an order in which each stands behind those that it refers to.
//!
//! Walked with a stack of our own: groups may be nested deeper than a thread's stack reaches.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use crate::model::group::AccessGroup;
use crate::model::ids::GroupId;
use crate::model::selector::Selector;

/// Groups in order, and those for which there is none.
pub(super) struct Ordered {
    /// Every group that is in no circle, behind those that it refers to.
    pub(super) order: Vec<AccessGroup>,
    /// Groups that refer to themselves, with the way around by their names, as a sentence.
    pub(super) circles: HashMap<GroupId, Arc<str>>,
}

/// Names in the telling of a circle; more help nobody.
const MAX_TOLD: usize = 10;

/// A group on the way down, with the groups in it that have not been looked at.
struct Step {
    id: GroupId,
    inside: Vec<GroupId>,
}

pub(super) fn order(groups: Vec<AccessGroup>) -> Ordered {
    let mut known: HashMap<GroupId, AccessGroup> = HashMap::with_capacity(groups.len());
    let ids: Vec<GroupId> = groups.iter().map(|group| group.id).collect();
    known.extend(groups.into_iter().map(|group| (group.id, group)));
    let mut done: HashSet<GroupId> = HashSet::with_capacity(ids.len());
    let mut sorted = Vec::with_capacity(ids.len());
    let mut circles: HashMap<GroupId, Arc<str>> = HashMap::new();
    for start in ids {
        let mut way: Vec<Step> = Vec::new();
        let mut on_way: HashSet<GroupId> = HashSet::new();
        let mut next = Some(start);
        loop {
            if let Some(id) = next.take()
                && let Some(group) = known.get(&id).filter(|_| !done.contains(&id))
            {
                on_way.insert(id);
                way.push(Step {
                    id,
                    inside: inside(group),
                });
            }
            let Some(step) = way.last_mut() else { break };
            match step.inside.pop() {
                Some(id) if on_way.contains(&id) => {
                    let around = way.iter().map(|step| step.id).skip_while(|on| *on != id);
                    let around: Vec<GroupId> = around.collect();
                    let told: Arc<str> = tell(&around, &known).into();
                    circles.extend(around.into_iter().map(|id| (id, told.clone())));
                }
                Some(id) => next = Some(id),
                None => {
                    let id = step.id;
                    on_way.remove(&id);
                    done.insert(id);
                    sorted.push(id);
                    way.pop();
                }
            }
        }
    }
    let in_no_circle = sorted.into_iter().filter(|id| !circles.contains_key(id));
    let order = in_no_circle.filter_map(|id| known.remove(&id)).collect();
    Ordered { order, circles }
}

fn inside(group: &AccessGroup) -> Vec<GroupId> {
    let rules = group.rules().iter();
    let groups = rules.filter_map(|(_, _, rule)| match rule {
        Selector::Group { id } => Some(*id),
        _ => None,
    });
    groups.collect()
}

/// The names around a circle, from a group back to itself.
fn tell(around: &[GroupId], known: &HashMap<GroupId, AccessGroup>) -> String {
    let name = |id: &GroupId| {
        let group = known.get(id);
        group.map_or_else(|| id.to_string(), |group| format!("\"{}\"", group.name))
    };
    let mut names: Vec<String> = around.iter().take(MAX_TOLD).map(name).collect();
    if around.len() > MAX_TOLD {
        names.push("…".to_owned());
    }
    names.extend(around.first().map(name));
    format!(
        "the access groups {} refer to each other in a circle",
        names.join(" → ")
    )
}
