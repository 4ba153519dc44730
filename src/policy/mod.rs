//! Who may pass: policies evaluated, without I/O, clock or any other state.
//!
//! Bypass and Service Auth policies come first, by precedence; then Allow and Deny by precedence, and the first that
//! applies decides. Where none applies, nobody passes (Access: policies, order of execution).
//!
//! A rule answers yes, no or **unknown** ([`Answer`]), and unknown is carried through include, require, exclude and
//! nested access groups. Allow, Bypass and Service Auth apply on yes only, Deny applies on yes and on unknown: what
//! cannot be evaluated lets nobody in. Where an Allow policy would match if one thing more were known that can be found
//! out with the person's help, the verdict is a [`StepUp`] instead of a refusal.
//!
//! [`compile()`] turns the rules into hash look-ups, so that a decision costs the same for one rule and for ten
//! thousand; access groups and lists are compiled once for all policies ([`Referents`]). What depends on the person
//! alone is kept as [`Outcomes`] between requests; what depends on the request is asked each time. [`Permit`], which
//! alone opens the way to an upstream, is made here and nowhere else.

mod address_set;
mod answer;
mod atoms;
mod compile;
mod evaluate;
mod explain;
mod failing;
mod group_order;
mod groups;
mod person;
mod referents;
mod request;
mod requirements;
mod rules;
mod uncertainty;
mod verdict;

pub use answer::Answer;
pub use compile::{CompiledPolicies, PreparedPolicy, compile, prepare};
pub use evaluate::Outcomes;
pub use explain::{
    Explanation, GroupExplanation, GroupOfProvider, PolicyExplanation, RuleExplanation, explain,
};
pub use failing::{Failing, failing};
pub use referents::{Referents, Unresolved};
pub use request::RequestFacts;
pub use requirements::Requirement;
pub use verdict::{Nature, Need, Permit, Refusal, RefusalReason, RefusingPolicy, StepUp, Verdict};

#[cfg(test)]
mod tests;
