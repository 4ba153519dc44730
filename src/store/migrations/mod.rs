//! The schema and its history. Migrations run at start and are applied once, by one gateway at a time.
//!
//! A migration expands first and contracts a release later, so that schema *N* still serves the release that knew
//! only *N − 1*: gateways can be updated one after the other. Each records the oldest schema number whose release
//! can live with it; a release older than that refuses the database. Number 2 is the exception: a release that does not
//! know `token_epochs` would go on taking application tokens that were revoked.

use sqlx::{Any, Transaction};

use super::connect::Pools;
use super::row::Cells;
use super::{Backend, StoreError};
use crate::crypto::{digest, random};

struct Migration {
    number: i64,
    /// A release whose newest schema is this one or later can work on the result.
    readable_by: i64,
    sql: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        readable_by: 1,
        sql: include_str!("0001_first.sql"),
    },
    Migration {
        number: 2,
        readable_by: 2,
        sql: include_str!("0002_token_epochs.sql"),
    },
    Migration {
        number: 3,
        readable_by: 2,
        sql: include_str!("0003_transfers.sql"),
    },
    Migration {
        number: 4,
        readable_by: 3,
        sql: include_str!("0004_service_token_uses.sql"),
    },
    Migration {
        number: 5,
        readable_by: 4,
        sql: include_str!("0005_explanations.sql"),
    },
    Migration {
        number: 6,
        readable_by: 5,
        sql: include_str!("0006_approvals.sql"),
    },
    Migration {
        number: 7,
        readable_by: 6,
        sql: include_str!("0007_api.sql"),
    },
    Migration {
        number: 8,
        readable_by: 7,
        sql: include_str!("0008_scim.sql"),
    },
    Migration {
        number: 9,
        readable_by: 8,
        sql: include_str!("0009_users.sql"),
    },
    Migration {
        number: 10,
        readable_by: 9,
        sql: include_str!("0010_refreshes.sql"),
    },
    Migration {
        number: 11,
        readable_by: 10,
        sql: include_str!("0011_scim_updates_actor.sql"),
    },
    Migration {
        number: 12,
        readable_by: 11,
        sql: include_str!("0012_addresses_and_flights.sql"),
    },
    Migration {
        number: 13,
        readable_by: 12,
        sql: include_str!("0013_session_apps.sql"),
    },
    Migration {
        number: 14,
        readable_by: 13,
        sql: include_str!("0014_written_objects.sql"),
    },
    Migration {
        number: 15,
        readable_by: 14,
        sql: include_str!("0015_pages.sql"),
    },
    Migration {
        number: 16,
        readable_by: 15,
        sql: include_str!("0016_users_object.sql"),
    },
    Migration {
        number: 17,
        readable_by: 16,
        sql: include_str!("0017_directory_syncs.sql"),
    },
    Migration {
        number: 18,
        readable_by: 17,
        sql: include_str!("0018_address_told.sql"),
    },
    Migration {
        number: 19,
        readable_by: 18,
        sql: include_str!("0019_trials.sql"),
    },
    Migration {
        number: 20,
        readable_by: 19,
        sql: include_str!("0020_directory_holds.sql"),
    },
    Migration {
        number: 21,
        readable_by: 20,
        sql: include_str!("0021_log_filters.sql"),
    },
];

/// The newest schema of this release.
const KNOWN: i64 = 21;

const HISTORY: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (\
     number BIGINT PRIMARY KEY, readable_by BIGINT NOT NULL, checksum TEXT NOT NULL, applied_ms BIGINT NOT NULL)";
const SQLITE_HAS_HISTORY: &str = "SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'";
const POSTGRES_HAS_HISTORY: &str = "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_migrations'";
const APPLIED: &str = "SELECT number, readable_by, checksum FROM schema_migrations ORDER BY number";
const RECORD: &str =
    "INSERT INTO schema_migrations (number, readable_by, checksum, applied_ms) VALUES ($1, $2, $3, $4)";
/// `BLOB` is the one type of ours that PostgreSQL spells otherwise; as a domain it needs no second text. Results
/// carry the type behind a domain, so nothing else sees the difference.
const POSTGRES_BLOB: &str = "CREATE DOMAIN blob AS bytea";
/// Any number, as long as every release takes the same.
const POSTGRES_ONE_AT_A_TIME: &str = "SELECT pg_advisory_xact_lock(7402118365)";
const FIRST_HEAD: &str = "INSERT INTO change_head (one, seq) VALUES (1, 0)";
const FIRST_CHANGE: &str =
    "INSERT INTO changes (seq, id, kind, subject, at_ms) VALUES (0, $1, 'objects', '', $2)";

pub(super) async fn migrate(pools: &Pools, now_ms: i64) -> Result<(), StoreError> {
    let mut tx = match pools.backend {
        Backend::Sqlite => pools.writers.begin_with("BEGIN IMMEDIATE").await?,
        Backend::Postgres => pools.writers.begin().await?,
    };
    if pools.backend == Backend::Postgres {
        sqlx::query(POSTGRES_ONE_AT_A_TIME).execute(&mut *tx).await?;
    }
    sqlx::query(HISTORY).execute(&mut *tx).await?;
    let present = present(&mut tx).await?;
    for migration in MIGRATIONS.iter().filter(|migration| migration.number > present) {
        if migration.number == 1 && pools.backend == Backend::Postgres {
            sqlx::query(POSTGRES_BLOB).execute(&mut *tx).await?;
        }
        apply(&mut tx, migration, now_ms).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whether the database has the newest schema of this release. Changes nothing.
pub(super) async fn is_present(pools: &Pools) -> Result<bool, StoreError> {
    let history = match pools.backend {
        Backend::Sqlite => SQLITE_HAS_HISTORY,
        Backend::Postgres => POSTGRES_HAS_HISTORY,
    };
    let mut tx = pools.readers.begin().await?;
    if sqlx::query(history).fetch_optional(&mut *tx).await?.is_none() {
        return Ok(false);
    }
    Ok(present(&mut tx).await? >= KNOWN)
}

/// The number of the schema in the database; 0 for an empty one.
async fn present(tx: &mut Transaction<'static, Any>) -> Result<i64, StoreError> {
    let mut present = 0;
    for row in sqlx::query(APPLIED).fetch_all(&mut **tx).await? {
        let cells = Cells::new(&row, "schema_migrations", "number");
        present = cells.int("number")?;
        if cells.int("readable_by")? > KNOWN {
            return Err(StoreError::Schema {
                found: present,
                known: KNOWN,
            });
        }
        let ours = MIGRATIONS.iter().find(|migration| migration.number == present);
        if let Some(migration) = ours
            && cells.text("checksum")? != digest::sha256_hex(migration.sql.as_bytes())
        {
            return Err(cells.corrupt("checksum"));
        }
    }
    Ok(present)
}

async fn apply(
    tx: &mut Transaction<'static, Any>,
    migration: &Migration,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::raw_sql(migration.sql).execute(&mut **tx).await?;
    if migration.number == 1 {
        sqlx::query(FIRST_HEAD).execute(&mut **tx).await?;
        sqlx::query(FIRST_CHANGE)
            .bind(random::hex_digits::<16>())
            .bind(now_ms)
            .execute(&mut **tx)
            .await?;
    }
    sqlx::query(RECORD)
        .bind(migration.number)
        .bind(migration.readable_by)
        .bind(digest::sha256_hex(migration.sql.as_bytes()))
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_in_order_and_the_last_is_the_known_schema() {
        let numbers: Vec<i64> = MIGRATIONS.iter().map(|migration| migration.number).collect();
        assert_eq!(numbers, (1..=KNOWN).collect::<Vec<_>>());
        for migration in MIGRATIONS {
            let previous = migration.number - 1;
            assert!(migration.readable_by >= previous.max(1) && migration.readable_by <= migration.number);
        }
    }
}
