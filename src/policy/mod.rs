//! Who may pass: policies evaluated, without I/O, clock or any other state.
//!
//! Bypass policies come first, by precedence; then Allow and Deny by precedence, and the first that applies decides.
//! Where none applies, nobody passes (Access: policies, order of execution).
//!
//! A rule answers yes, no or **unknown** ([`Answer`]), and unknown is carried through include, require and exclude.
//! Allow and Bypass apply on yes only, Deny applies on yes and on unknown: what cannot be evaluated lets nobody in.
//!
//! [`compile()`] turns the rules into hash look-ups, so that a decision costs the same for one rule and for ten thousand.
//! What depends on the person alone is kept as [`Outcomes`] between requests; what depends on the request is asked
//! each time. [`Permit`], which alone opens the way to an upstream, is made here and nowhere else.

mod address_set;
mod answer;
mod compile;
mod evaluate;
mod explain;
mod selector;
mod verdict;

pub use answer::Answer;
pub use compile::{CompiledPolicies, compile};
pub use evaluate::Outcomes;
pub use explain::{Explanation, PolicyExplanation, RuleExplanation, explain};
pub use selector::RequestFacts;
pub use verdict::{Nature, Need, Permit, Refusal, RefusalReason, RefusingPolicy, StepUp, Verdict};

#[cfg(test)]
mod tests;
