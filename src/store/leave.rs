//! Leave to enter for a time: what approvers say to a request, and what follows for the sessions of who asked.
//!
//! A vote, what follows from it for the request, and what follows from that for the person's live sessions are one
//! transaction: leave is never given twice, never without the votes that it needs, and none comes back that was taken
//! back.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::amend::{Amended, AmendedSession};
use super::approvals::{ApprovalRequest, ApprovalState, REQUEST_LIFE_MS, one};
use super::row::{Cells, maybe_storable, storable};
use super::{Store, StoreError};
use crate::model::identity::{Approval, PersonKey};
use crate::model::ids::{SessionNonce, UserId};

/// What an approver says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    /// Who.
    pub approver: UserId,
    /// The person behind that user.
    pub person: PersonKey,
    /// The address by which that person is an approver.
    pub email: String,
    /// For how long leave shall be given, in milliseconds; `None` says no.
    pub length_ms: Option<i64>,
    /// A word to go with it.
    pub word: Option<String>,
}

/// What became of a vote.
#[derive(Debug, Clone, PartialEq)]
pub enum Voted {
    /// More approvers are needed.
    Counted,
    /// Leave is given until then; the person's live sessions have it.
    Granted {
        /// When it ends, milliseconds since 1970.
        until_ms: i64,
        /// The sessions as they are now.
        sessions: Vec<AmendedSession>,
    },
    /// The request is refused.
    Refused,
    /// The request does not wait for anybody any more, or this approver has voted.
    Closed,
}

/// Locks the request: votes on one request happen one after the other.
const LOCK_WAITING: &str = "UPDATE approval_requests SET state = state \
     WHERE id = $1 AND state = 'waiting' AND created_ms > $2";
const VOTE: &str = "INSERT INTO approval_votes (request, approver, email, length_ms, word, at_ms) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (request, approver) DO NOTHING";
/// One person votes once, by whatever account.
const VOTED: &str = "SELECT request FROM approval_votes JOIN users ON users.id = approval_votes.approver \
     WHERE request = $1 AND tenant = $2 AND object = $3";
const YES: &str = "SELECT approver, email, length_ms FROM approval_votes \
     WHERE request = $1 AND length_ms IS NOT NULL";
const CLOSE: &str = "UPDATE approval_requests SET state = $1, until_ms = $2, decided_ms = $3 WHERE id = $4";
const WITHDRAW: &str = "UPDATE approval_requests SET state = 'withdrawn', decided_ms = $1 \
     WHERE id = $2 AND state = 'granted'";
/// What was given before for the same gives way, so that no leave holds beside what approvers see of it.
const SUPERSEDE: &str = "UPDATE approval_requests SET state = 'withdrawn' \
     WHERE user_id = $1 AND app = $2 AND policy = $3 AND state = 'granted'";
/// Locks what a person was given: whoever takes it back waits, or was first and it is not among these any more.
const LOCK_GRANTED: &str = "UPDATE approval_requests SET state = state \
     WHERE user_id = $1 AND state = 'granted' AND until_ms > $2 RETURNING app, policy, until_ms";

impl Store {
    /// Counts a vote. `enough` is asked whether those who said yes, by address, are enough.
    pub async fn vote(
        &self,
        id: Uuid,
        vote: &Vote,
        enough: &(dyn Fn(&[String]) -> bool + Send + Sync),
    ) -> Result<Voted, StoreError> {
        self.patiently(|| self.vote_once(id, vote, enough)).await
    }

    async fn vote_once(
        &self,
        id: Uuid,
        vote: &Vote,
        enough: &(dyn Fn(&[String]) -> bool + Send + Sync),
    ) -> Result<Voted, StoreError> {
        let now_ms = self.now_ms();
        let mut tx = self.begin_brief().await?;
        let locked = sqlx::query(LOCK_WAITING)
            .bind(id.to_string())
            .bind(now_ms - REQUEST_LIFE_MS)
            .execute(&mut *tx)
            .await?;
        if locked.rows_affected() == 0 {
            return Ok(Voted::Closed);
        }
        // Nobody gives leave to themself, whatever the lists of approvers say.
        let request = one(&mut tx, id).await?;
        let Some(request) =
            request.filter(|request| !request.is_from(vote.approver, vote.person, &vote.email))
        else {
            return Ok(Voted::Closed);
        };
        if !insert_vote(&mut tx, id, vote, now_ms).await? {
            return Ok(Voted::Closed);
        }
        if vote.length_ms.is_none() {
            close(&mut tx, id, ApprovalState::Refused, None, now_ms).await?;
            tx.commit().await?;
            return Ok(Voted::Refused);
        }
        let yes = sqlx::query(YES).bind(id.to_string()).fetch_all(&mut *tx).await?;
        let yes: Vec<(String, i64)> = yes.iter().map(said_yes).collect::<Result<_, _>>()?;
        let addresses: Vec<String> = yes.iter().map(|(address, _)| address.clone()).collect();
        if !enough(&addresses) {
            tx.commit().await?;
            return Ok(Voted::Counted);
        }
        // The most cautious approver decides how long.
        let shortest = yes.iter().map(|(_, length_ms)| *length_ms).min();
        let length = shortest.unwrap_or(0).min(request.length_ms);
        let until_ms = now_ms.saturating_add(length);
        sqlx::query(SUPERSEDE)
            .bind(request.user.to_string())
            .bind(request.app.to_string())
            .bind(request.policy.to_string())
            .execute(&mut *tx)
            .await?;
        close(&mut tx, id, ApprovalState::Granted, Some(until_ms), now_ms).await?;
        let approval = Approval {
            app: request.app,
            policy: request.policy,
            until_ms,
        };
        let sessions = self
            .amend_within(&mut tx, Amended::User(request.user), &|identity| {
                identity.approve(approval.clone());
            })
            .await?;
        self.tell_amended(&mut tx, &sessions).await?;
        self.commit_changes(tx).await?;
        Ok(Voted::Granted { until_ms, sessions })
    }

    /// Gives a session the leave that its user has: it began after leave was given. Leave that is taken back meanwhile
    /// does not come back by it. The session as it is now; none where it has ended, or where there is no leave.
    pub async fn take_up_leave(
        &self,
        user: UserId,
        session: &SessionNonce,
    ) -> Result<Vec<AmendedSession>, StoreError> {
        self.patiently(|| async {
            let mut tx = self.begin_brief().await?;
            let granted = sqlx::query(LOCK_GRANTED)
                .bind(user.to_string())
                .bind(self.now_ms())
                .fetch_all(&mut *tx)
                .await?;
            let granted: Vec<Approval> = granted.iter().map(approval).collect::<Result<_, _>>()?;
            if granted.is_empty() {
                return Ok(Vec::new());
            }
            let amended = self
                .amend_within(&mut tx, Amended::Session(session), &|identity| {
                    if identity.user == user {
                        identity.approvals.clone_from(&granted);
                    }
                })
                .await?;
            self.tell_amended(&mut tx, &amended).await?;
            self.commit_changes(tx).await?;
            Ok(amended)
        })
        .await
    }

    /// Takes leave back that was given. The person's sessions as they are now; `None` where there was none.
    pub async fn withdraw_approval(
        &self,
        id: Uuid,
    ) -> Result<Option<(ApprovalRequest, Vec<AmendedSession>)>, StoreError> {
        self.patiently(|| async {
            let mut tx = self.begin_brief().await?;
            let withdrawn = sqlx::query(WITHDRAW)
                .bind(self.now_ms())
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            if withdrawn.rows_affected() == 0 {
                return Ok(None);
            }
            let Some(request) = one(&mut tx, id).await? else {
                return Ok(None);
            };
            let (app, policy) = (request.app, request.policy);
            let sessions = self
                .amend_within(&mut tx, Amended::User(request.user), &|identity| {
                    identity.withdraw(app, policy);
                })
                .await?;
            self.tell_amended(&mut tx, &sessions).await?;
            self.commit_changes(tx).await?;
            Ok(Some((request, sessions)))
        })
        .await
    }
}

/// Whether the vote counts: the person has not voted yet.
async fn insert_vote(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
    vote: &Vote,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let voted = sqlx::query(VOTED)
        .bind(id.to_string())
        .bind(vote.person.tenant.to_string())
        .bind(vote.person.object.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    if voted.is_some() {
        return Ok(false);
    }
    let done = sqlx::query(VOTE)
        .bind(id.to_string())
        .bind(vote.approver.to_string())
        .bind(storable(&vote.email))
        .bind(vote.length_ms)
        .bind(maybe_storable(vote.word.as_deref()))
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn close(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
    state: ApprovalState,
    until_ms: Option<i64>,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(CLOSE)
        .bind(state.as_str())
        .bind(until_ms)
        .bind(now_ms)
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

fn approval(row: &AnyRow) -> Result<Approval, StoreError> {
    let cells = Cells::new(row, "approval_requests", "app");
    Ok(Approval {
        app: cells.parsed("app")?,
        policy: cells.parsed("policy")?,
        until_ms: cells.int("until_ms")?,
    })
}

/// By which address, and for how long.
fn said_yes(row: &AnyRow) -> Result<(String, i64), StoreError> {
    let cells = Cells::new(row, "approval_votes", "approver");
    Ok((cells.text("email")?, cells.int("length_ms")?))
}
