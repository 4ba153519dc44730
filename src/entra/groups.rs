//! Group membership at login. Three answers: not asked, known to the last group, unknown.

use std::time::Duration;

use super::graph::{Graph, GraphFailed};
use crate::model::identity::Groups;

/// Longest a login waits for the whole list, throttling included. What has come by then is kept as partial.
const MAX_TIME: Duration = Duration::from_secs(30);

/// Reads every group of the person. A failure is never "no groups": the list is then unknown, and rules that exclude or
/// block by group act as if it held.
///
/// # Errors
/// Only the claims challenge, which a new login answers.
pub(super) async fn read(graph: &mut Graph<'_>) -> Result<Groups, GraphFailed> {
    let mut groups = Vec::new();
    let reading = graph.append_groups(&mut groups);
    let failure = match tokio::time::timeout(MAX_TIME, reading).await {
        Ok(Ok(())) => return Ok(Groups::Known { groups }),
        Ok(Err(challenge @ GraphFailed::ClaimsChallenge(_))) => return Err(challenge),
        Ok(Err(failure)) => failure,
        Err(_) => GraphFailed::Unavailable("it takes too long".to_owned()),
    };
    Ok(Groups::Unknown {
        partial: groups,
        reason: failure.to_string(),
    })
}
