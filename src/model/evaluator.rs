//! External evaluation: another service says whether a person may pass.

use super::identity::Evaluation;

/// A service that is asked about people, as a rule names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalEvaluator {
    /// Where it is asked.
    pub evaluate_url: String,
    /// Where the keys are that its answers are signed with.
    pub keys_url: String,
}

impl ExternalEvaluator {
    /// Whether an evaluation is its own. Both addresses count: under other keys the same answer proves nothing.
    pub fn gave(&self, evaluation: &Evaluation) -> bool {
        self.evaluate_url == evaluation.evaluate_url && self.keys_url == evaluation.keys_url
    }
}
