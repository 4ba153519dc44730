//! Looking at a provider for its operator: what works, what does not, and what mends it.
//!
//! [`RelyingParty::check_setup`] needs nobody: discovery, clock, redirect address, credential and when it ends, what the
//! application itself may do. [`of_person`] and [`of_refusal`] say the same of a sign-in. Nothing is remembered and
//! nothing is written; what is asked is asked anew, past every cache.

mod credential;
mod expiry;
mod permissions;
mod person;
mod refusal;
mod way_back;

use std::time::Duration;

use secrecy::SecretString;

pub use person::of_person;
pub use refusal::of_refusal;
pub use way_back::WayBack;

use super::discovery::{self, Directory, is_another_host};
use super::errors::EntraError;
use super::graph::{Graph, GraphFailed};
use super::relying_party::RelyingParty;
use crate::model::check::{Check, CheckState, Step};
use crate::model::idp::{EntraSettings, IdentityProvider};

/// Longest wait for one answer of Graph's, throttling included. Somebody sits in front of it.
const GRAPH_TIME: Duration = Duration::from_secs(15);
/// Up to here, in seconds, two clocks count as one: the header has no fractions, and the answer was on its way.
const CLOCKS_AGREE: i64 = 30;
/// From here on, in seconds, logins are about to fail: tokens are taken with five minutes of difference.
const CLOCKS_BREAK: i64 = 240;

impl RelyingParty {
    /// What can be found out about a provider while nobody signs in.
    pub async fn check_setup(&self, provider: &IdentityProvider, way_back: WayBack<'_>) -> Vec<Check> {
        let settings = &provider.entra;
        let directory = Directory::of(settings);
        let (metadata, date) = discovery::fetch_dated(&self.outbound, &directory).await;
        let mut checks = vec![
            discovered(settings, &metadata),
            clock(date, self.clock.now_seconds()),
        ];
        match metadata {
            Ok(metadata) => {
                let endpoint = metadata.token_endpoint;
                let (back, application) = tokio::join!(
                    self.check_way_back(provider, way_back),
                    self.check_application(provider, &endpoint)
                );
                checks.push(back);
                checks.extend(application);
            }
            // Without its endpoints there is nobody to ask. That the browser came back is known all the same.
            Err(_) => checks.push(way_back.without_asking()),
        }
        checks
    }

    /// Everything that takes the application's own credential.
    async fn check_application(&self, provider: &IdentityProvider, endpoint: &url::Url) -> Vec<Check> {
        let settings = &provider.entra;
        let now = self.clock.now();
        let (credential, token) = credential::check(&self.outbound, settings, endpoint, now).await;
        let token = token.as_ref();
        let ends = expiry::check(self, settings, token, now).await;
        let contexts = self.check_contexts(settings, token).await;
        let mut checks = vec![credential, ends, contexts];
        checks.extend(permissions::of_application(provider, token));
        checks
    }

    async fn check_contexts(&self, settings: &EntraSettings, token: Option<&SecretString>) -> Check {
        let check = |state, found: String| Check::new(Step::Contexts, state, found);
        if !settings.conditional_access_enabled {
            return check(
                CheckState::Off,
                "not asked for: conditional_access_enabled is off".to_owned(),
            );
        }
        let Some(token) = token else {
            return without_token(Step::Contexts);
        };
        let listed = self
            .graph(settings, token, async |graph| {
                graph.authentication_contexts().await
            })
            .await;
        match listed {
            Ok(listed) => {
                let published = listed.iter().filter(|context| context.available).count();
                let found = format!("{} listed, {published} of them published", listed.len());
                if published > 0 {
                    return check(CheckState::Good, found);
                }
                check(CheckState::Warning, found).mend(
                    "Publish an authentication context under Conditional Access, or switch conditional_access_enabled \
                     off.",
                )
            }
            Err(GraphFailed::Denied) => check(
                CheckState::Bad,
                "Graph does not let the application list them".to_owned(),
            )
            .mend(
                "Add the application permission Policy.Read.ConditionalAccess and grant admin consent. Rules about \
                 contexts work without it; their names stay unknown.",
            ),
            Err(failed) => check(CheckState::Unknown, failed.to_string()).mend("Test again in a minute."),
        }
    }

    /// Asks Graph as the application, for so long as somebody waits for it.
    async fn graph<T>(
        &self,
        settings: &EntraSettings,
        token: &SecretString,
        ask: impl AsyncFnOnce(&mut Graph<'_>) -> Result<T, GraphFailed>,
    ) -> Result<T, GraphFailed> {
        let mut graph = Graph::new(&self.outbound, &settings.cloud.graph, token);
        let asked = tokio::time::timeout(GRAPH_TIME, ask(&mut graph)).await;
        asked.unwrap_or_else(|_| Err(GraphFailed::Unavailable("it takes too long".to_owned())))
    }
}

fn discovered(settings: &EntraSettings, metadata: &Result<discovery::Metadata, EntraError>) -> Check {
    let metadata = match metadata {
        Ok(metadata) => metadata,
        Err(error) => return refusal::line(Step::Discovery, error),
    };
    let found = format!(
        "the directory answers as {} in the cloud {}",
        metadata.issuer, settings.cloud.key
    );
    let configured = settings.cloud.graph.host_str().unwrap_or_default();
    match &metadata.graph_host {
        Some(named) if is_another_host(named, configured) => {
            let found = format!("{found}, but its Graph is at {named} and not at {configured}");
            Check::new(Step::Discovery, CheckState::Bad, found)
                .mend("Set azure_cloud to the cloud whose Graph has this address.")
        }
        _ => Check::new(Step::Discovery, CheckState::Good, found),
    }
}

fn clock(date: Option<i64>, now: i64) -> Check {
    let Some(date) = date else {
        return Check::new(
            Step::Clock,
            CheckState::Unknown,
            "Microsoft's answer told no time",
        )
        .mend(
            "See to it that the clock of this machine is set by NTP: beyond five minutes nobody can sign in.",
        );
    };
    let ahead = now.saturating_sub(date);
    let apart = ahead.saturating_abs();
    if apart <= CLOCKS_AGREE {
        let found = format!("this machine's clock and Microsoft's agree, to within {CLOCKS_AGREE} seconds");
        return Check::new(Step::Clock, CheckState::Good, found);
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let state = if apart < CLOCKS_BREAK {
        CheckState::Warning
    } else {
        CheckState::Bad
    };
    let found = format!("this machine's clock is {apart} seconds {way} Microsoft's");
    Check::new(Step::Clock, state, found)
        .mend("Set the clock of this machine by NTP: beyond five minutes nobody can sign in.")
}

/// What takes a token of the application's own, where there is none.
fn without_token(step: Step) -> Check {
    Check::new(
        step,
        CheckState::Unknown,
        "cannot be asked for as long as the credential is not taken",
    )
    .mend("Mend the credential of the app, and test again.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_told_apart_by_direction_and_size() {
        let told = |ahead: i64| {
            let check = clock(Some(1_000), 1_000 + ahead);
            (check.state, check.found)
        };
        for ahead in [0, CLOCKS_AGREE, -CLOCKS_AGREE] {
            assert_eq!(told(ahead).0, CheckState::Good, "{ahead}");
        }
        let (state, found) = told(100);
        assert_eq!(state, CheckState::Warning);
        assert!(found.contains("100 seconds ahead of"), "{found}");
        let (state, found) = told(-7200);
        assert_eq!(state, CheckState::Bad);
        assert!(found.contains("7200 seconds behind"), "{found}");
        assert_eq!(clock(None, 0).state, CheckState::Unknown);
    }
}
