//! What the directory says at a sign-in.

use sqlx::any::AnyRow;
use sqlx::{Any, Transaction};

use super::super::row::Cells;
use super::super::users::readmit;
use super::super::{NewSession, Store, StoreError, bounded};
use super::ScimUser;
use super::buried::{is_buried, unbury, unbury_address};
use super::link::{Arriving, Found, find};
use super::users::update;
use crate::model::idp::IdentityProvider;
use crate::model::ids::{ObjectId, UserId};
use crate::model::scim::{IdentityUpdate, ScimSettings};

/// What a sign-in asks of the directory's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimAtLogin {
    /// Whoever is inactive or deleted is refused.
    pub stays_out: bool,
    /// Such a person is active again by signing in.
    pub reactivates: bool,
    /// What the directory says of groups changes live sessions, and so those that are about to be.
    pub regroups: bool,
}

impl ScimAtLogin {
    /// What is asked where it cannot be said how the provider is set.
    pub const STRICTEST: Self = Self {
        stays_out: true,
        reactivates: false,
        regroups: true,
    };

    /// What a sign-in at this provider asks; `None` where no directory tells of its people.
    pub fn of(provider: &IdentityProvider) -> Option<Self> {
        provider.told().map(Self::with)
    }

    /// What a sign-in asks where a provider is set like this.
    pub fn with(told: &ScimSettings) -> Self {
        Self {
            stays_out: told.user_deprovision,
            reactivates: told.reactivate_on_login,
            regroups: told.identity_update != IdentityUpdate::NoAction,
        }
    }

    /// Whether whoever the directory has put out is refused.
    pub(super) fn refuses_those_out(&self) -> bool {
        self.stays_out && !self.reactivates
    }
}

/// What it said.
#[derive(Debug, Default)]
pub(in super::super) struct Word {
    /// Whether the login goes on.
    pub(in super::super) admits: bool,
    /// Groups that were taken from the person since the login began.
    pub(in super::super) taken: Vec<ObjectId>,
    /// Whom the directory meant until now, by an address that has gone to this person.
    pub(in super::super) instead_of: Option<UserId>,
}

/// How much earlier than a login something may be stamped that took effect during it: the write of a group lasts up to a
/// minute, and the clocks of gateways differ.
const MEANWHILE_MS: i64 = 90_000;
/// How long what was taken is remembered: far longer than a login lasts.
pub(in super::super) const TAKEN_KEPT_MS: i64 = 3_600_000;

const OWN: &str =
    "SELECT id, created_ms, email, linkable FROM users WHERE provider = $1 AND tenant = $2 AND object = $3";
/// What was given again meanwhile was not taken.
const TAKEN: &str = "SELECT DISTINCT t.object AS object FROM scim_taken t WHERE t.scim_user = $1 AND t.at_ms >= $2 \
     AND NOT EXISTS (SELECT 1 FROM scim_members m JOIN scim_groups g ON g.id = m.scim_group \
     WHERE m.scim_user = t.scim_user AND g.object = t.object)";
const TAKEN_FROM: &str = "SELECT DISTINCT t.object AS object FROM scim_users u JOIN scim_taken t ON t.scim_user = u.id \
     WHERE u.user_id = $1 AND t.at_ms >= $2 \
     AND NOT EXISTS (SELECT 1 FROM scim_members m JOIN scim_groups g ON g.id = m.scim_group \
     WHERE m.scim_user = t.scim_user AND g.object = t.object)";
pub(in super::super) const FORGET_TAKEN: &str = "DELETE FROM scim_taken WHERE at_ms < $1 AND at_ms <= \
     COALESCE((SELECT at_ms FROM scim_taken WHERE at_ms < $1 ORDER BY at_ms LIMIT 1 OFFSET 499), $1)";

impl Store {
    /// Groups that the directory took from somebody shortly before, or since, this time. An answer of Graph's that was asked
    /// for then may tell of them still.
    pub async fn taken_lately(&self, user: UserId, since_ms: i64) -> Result<Vec<ObjectId>, StoreError> {
        bounded(async {
            let mut connection = self.reader().await?;
            let rows = sqlx::query(TAKEN_FROM)
                .bind(user.to_string())
                .bind(since_ms.saturating_sub(MEANWHILE_MS))
                .fetch_all(&mut *connection)
                .await?;
            objects(&rows)
        })
        .await
    }

    /// What the directory says of a person who signs in. The user's row must stand.
    pub(in super::super) async fn directory_says(
        &self,
        tx: &mut Transaction<'static, Any>,
        new: &NewSession<'_>,
        asks: &ScimAtLogin,
    ) -> Result<Word, StoreError> {
        let row = sqlx::query(OWN)
            .bind(new.provider.to_string())
            .bind(new.person.tenant.to_string())
            .bind(new.person.object.to_string())
            .fetch_one(&mut **tx)
            .await?;
        let own = Cells::new(&row, "users", "id");
        // Nobody comes to have an address but by signing in.
        let (email, linkable) = if new.signs_in {
            (new.email.clone(), new.linkable)
        } else {
            (own.maybe_text("email")?, own.flag("linkable")?)
        };
        let arriving = Arriving {
            provider: new.provider,
            person: new.person,
            user: own.parsed("id")?,
            since_ms: own.int("created_ms")?,
            email: email.as_deref().filter(|_| linkable),
            name: new.name.as_deref(),
        };
        self.word_on(tx, &arriving, new.began_ms, asks).await
    }

    /// What it says of somebody who arrives, by a login that began then.
    pub(super) async fn word_on(
        &self,
        tx: &mut Transaction<'static, Any>,
        arriving: &Arriving<'_>,
        began_ms: i64,
        asks: &ScimAtLogin,
    ) -> Result<Word, StoreError> {
        let (provider, object) = (arriving.provider, arriving.person.object);
        let found = find(tx, arriving).await?;
        let is_out = match &found {
            Found::One { told, .. } => !told.record.is_active(),
            Found::Inactive => true,
            Found::Nobody if is_buried(tx, provider, object, arriving.email).await? => true,
            // The directory has never told of this person.
            Found::Nobody => return Ok(Word::admitting()),
        };
        if is_out && asks.refuses_those_out() {
            return Ok(Word::default());
        }
        if !is_out || asks.reactivates {
            unbury(tx, provider, object).await?;
            if let Some(email) = arriving.email {
                unbury_address(tx, provider, email).await?;
            }
        }
        readmit(tx, arriving.user).await?;
        let Found::One { told, instead_of } = found else {
            return Ok(Word::admitting());
        };
        let taken = if asks.regroups {
            taken(tx, &told, began_ms).await?
        } else {
            Vec::new()
        };
        if is_out && asks.reactivates {
            self.reactivate(tx, told).await?;
        }
        Ok(Word {
            admits: true,
            taken,
            instead_of,
        })
    }

    async fn reactivate(
        &self,
        tx: &mut Transaction<'static, Any>,
        mut told: ScimUser,
    ) -> Result<(), StoreError> {
        told.record.0.insert("active".to_owned(), true.into());
        told.updated_ms = self.now_ms();
        update(tx, &told).await
    }
}

impl Word {
    fn admitting() -> Self {
        Self {
            admits: true,
            ..Self::default()
        }
    }
}

async fn taken(
    tx: &mut Transaction<'static, Any>,
    told: &ScimUser,
    began_ms: i64,
) -> Result<Vec<ObjectId>, StoreError> {
    let rows = sqlx::query(TAKEN)
        .bind(told.id.to_string())
        .bind(began_ms.saturating_sub(MEANWHILE_MS))
        .fetch_all(&mut **tx)
        .await?;
    objects(&rows)
}

fn objects(rows: &[AnyRow]) -> Result<Vec<ObjectId>, StoreError> {
    rows.iter()
        .map(|row| Cells::new(row, "scim_taken", "object").parsed("object"))
        .collect()
}
