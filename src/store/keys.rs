//! Keys that sign tokens. Every change of one is a change in the feed.

use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::audit::{self, Audited, Line};
use super::changes::ChangeKind;
use super::row::Cells;
use super::{Actor, Store, StoreError, bounded};
use crate::model::ids::KeyId;

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Published, does not sign yet.
    Next,
    /// Signs.
    Current,
    /// Signs no more; what it signed is still good until it retires.
    Previous,
    /// Nothing it signed is good.
    Revoked,
}

impl KeyState {
    const ALL: [Self; 4] = [Self::Next, Self::Current, Self::Previous, Self::Revoked];

    fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Previous => "previous",
            Self::Revoked => "revoked",
        }
    }
}

/// A signing key. `Debug` hides the sealed private half.
#[derive(Clone, PartialEq)]
pub struct SigningKeyRow {
    /// Its id, `kid` in tokens and in `certs`.
    pub kid: KeyId,
    /// The private key, sealed (`Purpose::SigningKey`).
    pub private_sealed: Vec<u8>,
    /// The public key as JWK.
    pub public_jwk: Value,
    /// The certificate of `public_cert`, PEM.
    pub certificate: String,
    /// Where it stands.
    pub state: KeyState,
    /// When it was made.
    pub created_ms: i64,
    /// When it began to sign, or may begin.
    pub signs_from_ms: Option<i64>,
    /// Until when its tokens are good, once it signs no more.
    pub retires_ms: Option<i64>,
}

impl std::fmt::Debug for SigningKeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyRow")
            .field("kid", &self.kid)
            .field("state", &self.state)
            .field("created_ms", &self.created_ms)
            .field("signs_from_ms", &self.signs_from_ms)
            .field("retires_ms", &self.retires_ms)
            .finish_non_exhaustive()
    }
}

const ALL: &str = "SELECT kid, private_sealed, public_jwk, certificate, state, created_ms, signs_from_ms, retires_ms \
     FROM signing_keys ORDER BY created_ms, kid";
const ADD: &str = "INSERT INTO signing_keys \
     (kid, private_sealed, public_jwk, certificate, state, created_ms, signs_from_ms, retires_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const CURRENT: &str = "SELECT kid FROM signing_keys WHERE state = 'current'";
const DEMOTE: &str = "UPDATE signing_keys SET state = 'previous', retires_ms = $1 WHERE state = 'current'";
const PROMOTE: &str =
    "UPDATE signing_keys SET state = 'current', signs_from_ms = $1 WHERE kid = $2 AND state = 'next'";
const REVOKE: &str =
    "UPDATE signing_keys SET state = 'revoked', retires_ms = $1 WHERE kid = $2 AND state <> 'revoked'";
const FORGET: &str = "DELETE FROM signing_keys WHERE state IN ('previous', 'revoked') AND retires_ms < $1";

impl Store {
    /// All keys, oldest first, revoked ones included.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyRow>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(ALL).fetch_all(&mut *connection).await?;
            rows.iter().map(signing_key).collect()
        })
        .await
    }

    /// Adds a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where its id is taken.
    pub async fn add_signing_key(&self, key: &SigningKeyRow) -> Result<(), StoreError> {
        bounded(async {
            let (mut tx, _) = self.begin_keys().await?;
            sqlx::query(ADD)
                .bind(key.kid.as_str())
                .bind(key.private_sealed.clone())
                .bind(key.public_jwk.to_string())
                .bind(key.certificate.as_str())
                .bind(key.state.as_str())
                .bind(key.created_ms)
                .bind(key.signs_from_ms)
                .bind(key.retires_ms)
                .execute(&mut *tx)
                .await
                .map_err(|error| StoreError::or_conflict(error, "the signing key"))?;
            self.commit_changes(tx).await
        })
        .await
    }

    /// Lets the key `new`, which must stand as [`KeyState::Next`], sign from `now_ms` on, and the one that signed
    /// verify until `retires_ms`. Nothing happens, and the answer is `false`, unless `expected_current` is the one
    /// that signs: of two gateways that rotate at once, one does. It stands in the audit log with who said so.
    pub async fn promote_signing_key(
        &self,
        expected_current: Option<&KeyId>,
        new: &KeyId,
        (now_ms, retires_ms): (i64, i64),
        actor: &Actor,
    ) -> Result<bool, StoreError> {
        bounded(async {
            let (mut tx, seq) = self.begin_keys().await?;
            if current(&mut tx).await?.as_ref() != expected_current {
                return Ok(false);
            }
            sqlx::query(DEMOTE).bind(retires_ms).execute(&mut *tx).await?;
            let promoted = sqlx::query(PROMOTE)
                .bind(now_ms)
                .bind(new.as_str())
                .execute(&mut *tx)
                .await?;
            if promoted.rows_affected() == 0 {
                return Ok(false);
            }
            let line = Line {
                action: "rotate",
                about: Audited::SigningKey,
                id: Uuid::nil(),
                before: expected_current.map(|kid| json!({ "kid": kid.as_str() })),
                after: Some(json!({ "kid": new.as_str(), "signs_from_ms": now_ms })),
            };
            audit::insert(&mut tx, (seq, 1), self.now_ms(), actor, &line).await?;
            self.commit_changes(tx).await?;
            Ok(true)
        })
        .await
    }

    /// Makes everything the key signed worthless; `false` where there is no such key or it is revoked already.
    pub async fn revoke_signing_key(&self, kid: &KeyId, actor: &Actor) -> Result<bool, StoreError> {
        bounded(async {
            let (mut tx, seq) = self.begin_keys().await?;
            let revoked = sqlx::query(REVOKE)
                .bind(self.now_ms())
                .bind(kid.as_str())
                .execute(&mut *tx)
                .await?;
            if revoked.rows_affected() == 0 {
                return Ok(false);
            }
            let line = Line {
                action: "revoke",
                about: Audited::SigningKey,
                id: Uuid::nil(),
                before: Some(json!({ "kid": kid.as_str() })),
                after: None,
            };
            audit::insert(&mut tx, (seq, 1), self.now_ms(), actor, &line).await?;
            self.commit_changes(tx).await?;
            Ok(true)
        })
        .await
    }

    /// Deletes keys that retired, or were revoked, before this time; how many.
    pub async fn forget_signing_keys(&self, retired_before_ms: i64) -> Result<u64, StoreError> {
        bounded(async {
            let (mut tx, _) = self.begin_keys().await?;
            let forgotten = sqlx::query(FORGET)
                .bind(retired_before_ms)
                .execute(&mut *tx)
                .await?;
            if forgotten.rows_affected() > 0 {
                self.commit_changes(tx).await?;
            }
            Ok(forgotten.rows_affected())
        })
        .await
    }

    /// A transaction on the keys, and its number, which comes first, as with objects: so comparing and setting is one
    /// step.
    async fn begin_keys(&self) -> Result<(Transaction<'static, Any>, i64), StoreError> {
        let mut tx = self.begin().await?;
        let change = self.append_next(&mut tx, ChangeKind::Keys, "").await?;
        Ok((tx, change.seq))
    }
}

async fn current(tx: &mut Transaction<'static, Any>) -> Result<Option<KeyId>, StoreError> {
    let row = sqlx::query(CURRENT).fetch_optional(&mut **tx).await?;
    row.map(|row| Cells::new(&row, "signing_keys", "kid").parsed("kid"))
        .transpose()
}

fn signing_key(row: &AnyRow) -> Result<SigningKeyRow, StoreError> {
    let cells = Cells::new(row, "signing_keys", "kid");
    let state = cells.text("state")?;
    Ok(SigningKeyRow {
        kid: cells.parsed("kid")?,
        private_sealed: cells.bytes("private_sealed")?,
        public_jwk: cells.json("public_jwk")?,
        certificate: cells.text("certificate")?,
        state: KeyState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| cells.corrupt("state"))?,
        created_ms: cells.int("created_ms")?,
        signs_from_ms: cells.maybe_int("signs_from_ms")?,
        retires_ms: cells.maybe_int("retires_ms")?,
    })
}
