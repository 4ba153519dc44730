//! Leave to enter for a time: who asked, what approvers said, and how it came out.
//!
//! A vote, what follows from it for the request, and what follows from that for the person's live sessions are one
//! transaction: leave is never given twice, and never without the votes that it needs.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::amend::{Amended, AmendedSession};
use super::row::{Cells, maybe_storable, storable};
use super::{Store, StoreError, bounded};
use crate::model::identity::{Approval, PersonKey};
use crate::model::ids::{AppId, PolicyId, SessionNonce, UserId};

/// A person asks for leave to enter an application for some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// Its id.
    pub id: Uuid,
    /// Who asks.
    pub user: UserId,
    /// The person behind that user. Not kept with the request.
    pub person: PersonKey,
    /// The address that the person's last sign-in gave, verified or not. Not kept with the request.
    pub address: Option<String>,
    /// The address that person signed in with, if it is verified: where the answer is sent.
    pub email: Option<String>,
    /// What approvers are told who asks; a label.
    pub name: Option<String>,
    /// The application.
    pub app: AppId,
    /// The policy that asks for leave.
    pub policy: PolicyId,
    /// Why the person wants to enter.
    pub reason: String,
    /// For how long, in milliseconds.
    pub length_ms: i64,
    /// When it was asked.
    pub created_ms: i64,
    /// How it stands.
    pub state: ApprovalState,
    /// Until when leave was given, where it was.
    pub until_ms: Option<i64>,
}

impl ApprovalRequest {
    /// Whether it comes from whoever is signed in as this: by the same account, by another of the same object of the
    /// directory, or by one with the same address. Providers may lead to one directory, and a person may have accounts
    /// in several.
    pub fn is_from(&self, user: UserId, person: PersonKey, address: &str) -> bool {
        let same = |known: &Option<String>| known.as_deref() == Some(address);
        self.user == user || self.person == person || same(&self.email) || same(&self.address)
    }
}

/// How a request for leave stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalState {
    /// Not enough approvers have said yes yet, and none has said no.
    Waiting,
    /// Leave was given. It ends by itself.
    Granted,
    /// An approver said no.
    Refused,
    /// Leave that was given has been taken back.
    Withdrawn,
}

impl ApprovalState {
    const ALL: [Self; 4] = [Self::Waiting, Self::Granted, Self::Refused, Self::Withdrawn];

    /// The word that the store and logs use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A request that waits, or whose leave still holds, as an approver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRequest {
    /// The request.
    pub request: ApprovalRequest,
    /// Whether this approver has said something to it.
    pub voted: bool,
}

impl OpenRequest {
    /// Whether it waits for this approver.
    pub fn waits(&self) -> bool {
        self.request.state == ApprovalState::Waiting && !self.voted
    }
}

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

const REQUEST: &str = "INSERT INTO approval_requests \
     (id, user_id, email, name, app, policy, reason, length_ms, created_ms, state) \
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting' WHERE NOT EXISTS \
     (SELECT 1 FROM approval_requests WHERE user_id = $2 AND app = $5 AND policy = $6 AND state = 'waiting' \
     AND created_ms > $10)";
const OF_PERSON_SINCE: &str =
    "SELECT COUNT(*) AS found FROM approval_requests WHERE user_id = $1 AND created_ms > $2";
const NEWEST: &str = "SELECT asked.id, asked.user_id, asked.email, asked.name, asked.app, asked.policy, asked.reason, \
     asked.length_ms, asked.created_ms, asked.state, asked.until_ms, \
     users.tenant, users.object, users.email AS address \
     FROM approval_requests AS asked JOIN users ON users.id = asked.user_id \
     WHERE asked.user_id = $1 AND asked.app = $2 AND asked.policy = $3 \
     ORDER BY asked.created_ms DESC, asked.id LIMIT 1";
const ONE: &str = "SELECT asked.id, asked.user_id, asked.email, asked.name, asked.app, asked.policy, asked.reason, \
     asked.length_ms, asked.created_ms, asked.state, asked.until_ms, \
     users.tenant, users.object, users.email AS address \
     FROM approval_requests AS asked JOIN users ON users.id = asked.user_id WHERE asked.id = $1";
const OPEN: &str = "SELECT asked.id, asked.user_id, asked.email, asked.name, asked.app, asked.policy, asked.reason, \
     asked.length_ms, asked.created_ms, asked.state, asked.until_ms, \
     users.tenant, users.object, users.email AS address \
     FROM approval_requests AS asked JOIN users ON users.id = asked.user_id \
     WHERE (asked.state = 'waiting' AND asked.created_ms > $1) \
     OR (asked.state = 'granted' AND asked.until_ms > $2) ORDER BY asked.created_ms DESC, asked.id LIMIT 1000";
const OPEN_TO: &str = "SELECT asked.id, asked.user_id, asked.email, asked.name, asked.app, asked.policy, asked.reason, \
     asked.length_ms, asked.created_ms, asked.state, asked.until_ms, \
     users.tenant, users.object, users.email AS address, \
     (SELECT COUNT(*) FROM approval_votes JOIN users AS voters ON voters.id = approval_votes.approver \
     WHERE request = asked.id AND voters.tenant = $3 AND voters.object = $4) AS voted \
     FROM approval_requests AS asked JOIN users ON users.id = asked.user_id \
     WHERE (asked.state = 'waiting' AND asked.created_ms > $1) \
     OR (asked.state = 'granted' AND asked.until_ms > $2) ORDER BY asked.created_ms DESC, asked.id LIMIT 1000";
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
const FORGET_VOTES: &str = "DELETE FROM approval_votes WHERE request IN \
     (SELECT id FROM approval_requests WHERE created_ms < $1)";
const FORGET: &str = "DELETE FROM approval_requests WHERE created_ms < $1";

/// How long a request waits for an answer: a day. Whoever still wants to enter asks again.
pub const REQUEST_LIFE_MS: i64 = 24 * 3_600_000;

impl Store {
    /// Keeps a request, unless the person already has one like it that waits. Whether it was kept.
    pub async fn request_approval(&self, request: &ApprovalRequest) -> Result<bool, StoreError> {
        bounded(async {
            let mut connection = self.writer().await?;
            let done = sqlx::query(REQUEST)
                .bind(request.id.to_string())
                .bind(request.user.to_string())
                .bind(maybe_storable(request.email.as_deref()))
                .bind(maybe_storable(request.name.as_deref()))
                .bind(request.app.to_string())
                .bind(request.policy.to_string())
                .bind(storable(&request.reason))
                .bind(request.length_ms)
                .bind(request.created_ms)
                .bind(request.created_ms - REQUEST_LIFE_MS)
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    /// How many requests a person has made since a time.
    pub async fn approval_requests_since(&self, user: UserId, since_ms: i64) -> Result<i64, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(OF_PERSON_SINCE)
                .bind(user.to_string())
                .bind(since_ms)
                .fetch_one(&mut *connection)
                .await?;
            Cells::new(&row, "approval_requests", "found").int("found")
        })
        .await
    }

    /// The newest request of a person for an application and policy.
    pub async fn approval_request_of(
        &self,
        user: UserId,
        app: AppId,
        policy: PolicyId,
    ) -> Result<Option<ApprovalRequest>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(NEWEST)
                .bind(user.to_string())
                .bind(app.to_string())
                .bind(policy.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(request).transpose()
        })
        .await
    }

    /// One request.
    pub async fn approval_request(&self, id: Uuid) -> Result<Option<ApprovalRequest>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let row = sqlx::query(ONE)
                .bind(id.to_string())
                .fetch_optional(&mut *connection)
                .await?;
            row.as_ref().map(request).transpose()
        })
        .await
    }

    /// Requests that wait, and those whose leave has not ended: the newest first, at most a thousand.
    pub async fn open_approval_requests(&self) -> Result<Vec<ApprovalRequest>, StoreError> {
        let now_ms = self.now_ms();
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OPEN)
                .bind(now_ms - REQUEST_LIFE_MS)
                .bind(now_ms)
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(request).collect()
        })
        .await
    }

    /// The same, each with whether an approver has said something to it.
    pub async fn approval_requests_open_to(
        &self,
        approver: PersonKey,
    ) -> Result<Vec<OpenRequest>, StoreError> {
        let now_ms = self.now_ms();
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(OPEN_TO)
                .bind(now_ms - REQUEST_LIFE_MS)
                .bind(now_ms)
                .bind(approver.tenant.to_string())
                .bind(approver.object.to_string())
                .fetch_all(&mut *connection)
                .await?;
            rows.iter().map(open_request).collect()
        })
        .await
    }

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

    /// Forgets requests made before a time, and what was said to them.
    pub async fn forget_approvals(&self, before_ms: i64) -> Result<(), StoreError> {
        for sql in [FORGET_VOTES, FORGET] {
            bounded(async {
                let mut connection = self.writer().await?;
                sqlx::query(sql).bind(before_ms).execute(&mut *connection).await?;
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

async fn one(tx: &mut Transaction<'static, Any>, id: Uuid) -> Result<Option<ApprovalRequest>, StoreError> {
    let row = sqlx::query(ONE)
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(request).transpose()
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

fn request(row: &AnyRow) -> Result<ApprovalRequest, StoreError> {
    let cells = Cells::new(row, "approval_requests", "id");
    Ok(ApprovalRequest {
        id: cells.parsed("id")?,
        user: cells.parsed("user_id")?,
        person: PersonKey {
            tenant: cells.parsed("tenant")?,
            object: cells.parsed("object")?,
        },
        address: cells.maybe_text("address")?,
        email: cells.maybe_text("email")?,
        name: cells.maybe_text("name")?,
        app: cells.parsed("app")?,
        policy: cells.parsed("policy")?,
        reason: cells.text("reason")?,
        length_ms: cells.int("length_ms")?,
        created_ms: cells.int("created_ms")?,
        state: ApprovalState::from_text(&cells.text("state")?).ok_or_else(|| cells.corrupt("state"))?,
        until_ms: cells.maybe_int("until_ms")?,
    })
}

fn open_request(row: &AnyRow) -> Result<OpenRequest, StoreError> {
    let voted = Cells::new(row, "approval_requests", "id").int("voted")?;
    Ok(OpenRequest {
        request: request(row)?,
        voted: voted > 0,
    })
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
