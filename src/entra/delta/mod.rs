//! What changed in a directory since it was last asked: people and groups, by delta queries of Microsoft Graph.
//!
//! A round is read to its end before anybody is told of it, so that nothing is done by halves where Graph breaks off, is
//! garbled or names a page on another host. Its last page has the link with which the next round begins; without one,
//! everything is read.
//! <https://learn.microsoft.com/graph/delta-query-overview>
//!
//! It takes the application permissions [`READ_PEOPLE`] and [`READ_GROUPS`].

pub mod page;

use std::time::Duration;

use page::Entry;
pub use page::{Gone, GroupTold, Move, PersonTold, Said, Unreadable};

use super::errors::EntraError;
use super::graph::{Graph, GraphFailed};
use super::relying_party::RelyingParty;
use crate::model::idp::IdentityProvider;

/// The permission for people.
pub const READ_PEOPLE: &str = "User.Read.All";
/// The permission for groups and their members.
pub const READ_GROUPS: &str = "GroupMember.Read.All";

/// Longest that one list is read, waits included.
const MAX_TIME: Duration = Duration::from_mins(30);

const PEOPLE: List = List {
    operation: "users_delta",
    address: "/v1.0/users/delta?$select=accountEnabled,userPrincipalName,mail,displayName,givenName,surname",
    permission: READ_PEOPLE,
};
const GROUPS: List = List {
    operation: "groups_delta",
    address: "/v1.0/groups/delta?$select=displayName,members",
    permission: READ_GROUPS,
};

/// A list of Graph's that can be followed.
pub(super) struct List {
    /// As the metrics call it.
    pub(super) operation: &'static str,
    /// Where it begins.
    pub(super) address: &'static str,
    /// What reading it takes.
    permission: &'static str,
}

/// What a round told, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round<T> {
    /// In Graph's order. The same change may come again, with this round or another.
    pub entries: Vec<T>,
    /// Where the next round begins.
    pub link: String,
}

/// Why there is no round.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DeltaFailed {
    /// The link is too old, or Graph reorganised itself: everything has to be read.
    #[error("Graph no longer knows what changed since the last time")]
    StartOver,
    /// A permission is missing.
    #[error(
        "Graph denies the application {0}: add the application permission {0} of Microsoft Graph to the app registration \
         and grant admin consent"
    )]
    Denied(&'static str),
    /// The token is good no longer.
    #[error("Graph does not accept the token; another one is asked for")]
    Unauthorized,
    /// A page on another host: the token is not sent there.
    #[error("Graph named a next page on another host")]
    Elsewhere,
    /// A page that makes no sense.
    #[error("a page of Graph's cannot be read: {0}")]
    Unreadable(#[from] Unreadable),
    /// The list does not end.
    #[error("Graph's list has more than {0}")]
    TooMuch(&'static str),
    /// Throttled for too long, down, or unreachable.
    #[error("{0}")]
    Unavailable(String),
    /// There is no token to ask with.
    #[error(transparent)]
    Entra(#[from] EntraError),
}

impl RelyingParty {
    /// The people of a provider's directory who changed since a round ended with this link; everybody without one.
    ///
    /// # Errors
    /// [`DeltaFailed`]
    pub async fn people_since(
        &self,
        provider: &IdentityProvider,
        link: Option<&str>,
    ) -> Result<Round<PersonTold>, DeltaFailed> {
        self.changes(provider, &PEOPLE, link).await
    }

    /// The groups of a provider's directory that changed, and who came and went, since a round ended with this link;
    /// all groups without one.
    ///
    /// # Errors
    /// [`DeltaFailed`]
    pub async fn groups_since(
        &self,
        provider: &IdentityProvider,
        link: Option<&str>,
    ) -> Result<Round<GroupTold>, DeltaFailed> {
        self.changes(provider, &GROUPS, link).await
    }

    async fn changes<T: Entry>(
        &self,
        provider: &IdentityProvider,
        list: &List,
        link: Option<&str>,
    ) -> Result<Round<T>, DeltaFailed> {
        let settings = &provider.entra;
        let tokens = self.application_tokens(settings).await?;
        let mut graph = Graph::new(&self.outbound, &settings.cloud.graph, &tokens.access).patient();
        let read = tokio::time::timeout(MAX_TIME, graph.changes(list, link)).await;
        let read = read.unwrap_or(Err(DeltaFailed::TooMuch("can be read in half an hour")));
        if let Err(DeltaFailed::Denied(_) | DeltaFailed::Unauthorized) = &read {
            // A permission that was granted meanwhile stands in the next token, not in this one; and one that was revoked
            // is good for no request more.
            self.forget_application_tokens(settings);
        }
        read
    }
}

impl List {
    /// What it means that Graph did not tell.
    pub(super) fn failed(&self, failed: GraphFailed) -> DeltaFailed {
        match failed {
            GraphFailed::Denied => DeltaFailed::Denied(self.permission),
            // With a token of the application's own there is nobody whom claims could be asked of.
            GraphFailed::Unauthorized | GraphFailed::ClaimsChallenge(_) => DeltaFailed::Unauthorized,
            GraphFailed::StartOver => DeltaFailed::StartOver,
            GraphFailed::PageElsewhere => DeltaFailed::Elsewhere,
            failed => DeltaFailed::Unavailable(failed.to_string()),
        }
    }
}
