//! What somebody refused is told of what the application asks for, as the organization wants it.

use crate::model::refusals::Told;
use crate::pages::person::Requirement;
use crate::policy::{Answer, Explanation, Refusal, RefusalReason};
use crate::snapshot::{ProtectedApplication, Snapshot};

/// The requirements of the nearest policy. Nothing where a policy keeps the person out, or the rules cannot be read. How
/// the rules came out is only asked for where something is told.
pub fn requirements<'e>(
    snapshot: &Snapshot,
    application: &ProtectedApplication,
    refusal: &Refusal,
    explanation: impl FnOnce() -> &'e Explanation,
) -> Vec<Requirement> {
    let refusals = &snapshot.organization.refusals;
    let of_rules = refusal.reason == RefusalReason::NoPolicyMatched && application.broken.is_none();
    if refusals.told == Told::Nothing || !of_rules {
        return Vec::new();
    }
    let asked = explanation().requirements().into_iter().map(|asked| Requirement {
        met: match asked.met {
            Answer::Yes => Some(true),
            Answer::No => Some(false),
            Answer::Unknown => None,
        },
        own_words: asked
            .kinds
            .iter()
            .map(|kind| refusals.words.get(kind).cloned())
            .collect(),
        kinds: asked.kinds,
        names: if refusals.told == Told::Names {
            asked.names
        } else {
            Vec::new()
        },
    });
    asked.collect()
}
