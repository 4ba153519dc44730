//! Requests for leave to enter for a time: who asked, and how they stand. What approvers say, and what
//! follows, stands in `leave`.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::row::{Cells, maybe_storable, storable};
use super::{Store, StoreError, bounded};
use crate::model::identity::PersonKey;
use crate::model::ids::{AppId, PolicyId, UserId};

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
        self.user == user || self.person == person || self.is_from_address(address)
    }

    /// The same of somebody of whom nothing but the address is known.
    pub fn is_from_address(&self, address: &str) -> bool {
        let same = |known: &Option<String>| known.as_deref() == Some(address);
        same(&self.email) || same(&self.address)
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

/// One request, within a transaction that has locked it.
pub(super) async fn one(
    tx: &mut Transaction<'static, Any>,
    id: Uuid,
) -> Result<Option<ApprovalRequest>, StoreError> {
    let row = sqlx::query(ONE)
        .bind(id.to_string())
        .fetch_optional(&mut **tx)
        .await?;
    row.as_ref().map(request).transpose()
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
