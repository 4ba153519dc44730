//! Rules that are always unknown since their provider is never asked what they are about, and what whoever writes one is
//! told.

use super::idp::IdentityProvider;

/// What follows from it.
const ALWAYS_UNKNOWN: &str = "so that the rule is always unknown: it lets nobody in and keeps people out";

/// What there is to tell of a rule about groups of this provider.
pub fn groups(provider: &IdentityProvider) -> Option<String> {
    let told = provider.entra.support_groups || provider.told().is_some();
    (!told).then(no_groups)
}

/// What there is to tell of a rule about authentication contexts of this provider.
pub fn contexts(provider: &IdentityProvider) -> Option<String> {
    (!provider.entra.conditional_access_enabled).then(no_contexts)
}

/// What there is to tell of a rule about a claim of this provider.
pub fn claim(name: &str, provider: &IdentityProvider) -> Option<String> {
    let copied = provider.entra.claims.iter().any(|copied| copied == name);
    (!copied).then(|| no_claim(name))
}

/// What is told where neither sign-ins nor the directory tell of groups.
pub fn no_groups() -> String {
    format!("this provider does not read groups, {ALWAYS_UNKNOWN}")
}

/// What is told where authentication contexts are not asked for.
pub fn no_contexts() -> String {
    format!("this provider is not asked for authentication contexts, {ALWAYS_UNKNOWN}")
}

/// What is told where a claim is not copied.
pub fn no_claim(name: &str) -> String {
    format!("this provider does not copy the claim {name}, {ALWAYS_UNKNOWN}")
}
