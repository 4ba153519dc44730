//! Objects of the API, kept as they were accepted.

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Transaction};
use uuid::Uuid;

use super::changes::position;
use super::row::{Cells, containing, maybe_storable, storable};
use super::{Position, Store, StoreError, bounded};

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The organization; there is one.
    Organization,
    /// An identity provider.
    IdentityProvider,
    /// An application.
    Application,
    /// A policy.
    Policy,
    /// An access group.
    Group,
    /// A list of e-mail or network addresses.
    List,
    /// A service token. Its secrets are kept as hashes only.
    ServiceToken,
    /// A page that an operator wrote.
    CustomPage,
    /// A certificate authority whose client certificates are taken.
    Certificate,
    /// A word that applications are found by in the launcher.
    Tag,
    /// A token of the API. Its secret is kept as a hash only.
    ApiToken,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Organization,
        Self::IdentityProvider,
        Self::Application,
        Self::Policy,
        Self::Group,
        Self::List,
        Self::ServiceToken,
        Self::CustomPage,
        Self::Certificate,
        Self::Tag,
        Self::ApiToken,
    ];

    /// The kind as it stands in the store, in associated data of sealed secrets and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::IdentityProvider => "identity_provider",
            Self::Application => "application",
            Self::Policy => "policy",
            Self::Group => "group",
            Self::List => "list",
            Self::ServiceToken => "service_token",
            Self::CustomPage => "custom_page",
            Self::Certificate => "certificate",
            Self::Tag => "tag",
            Self::ApiToken => "api_token",
        }
    }

    pub(super) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An object. `Debug` tells only whether there are secrets.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its id, unique within its kind.
    pub id: Uuid,
    /// Its name, a label.
    pub name: String,
    /// The object as it was accepted, secrets taken out. Comes back equal: strings byte for byte, keys and arrays in
    /// order, null and absent kept apart.
    pub body: serde_json::Value,
    /// The secrets: sealed JSON (`Purpose::ProviderSecret`, associated data `kind/id`).
    pub secrets: Option<Vec<u8>>,
    /// Whether the configuration file declares it; then it is read-only elsewhere.
    pub declared: bool,
    /// 1 when new, one more with every write. The store counts.
    pub version: i64,
    /// When it was first written. The store knows.
    pub created_ms: i64,
    /// When it was last written. The store knows.
    pub updated_ms: i64,
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("name", &self.name)
            .field("body", &self.body)
            .field("secrets", &self.secrets.as_ref().map(|_| "[hidden]"))
            .field("declared", &self.declared)
            .field("version", &self.version)
            .field("created_ms", &self.created_ms)
            .field("updated_ms", &self.updated_ms)
            .finish()
    }
}

/// Which objects of a kind are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DocumentFilter {
    /// Those of exactly this name.
    pub name: Option<String>,
    /// Those whose name contains this, in whatever case.
    pub search: Option<String>,
}

const ALL: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents ORDER BY kind, created_ms, id";
const OF_KIND: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents WHERE kind = $1 ORDER BY created_ms, id";
const ONE: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents WHERE kind = $1 AND id = $2";
const PAGE: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents WHERE kind = $1 AND ($2 IS NULL OR name = $2) AND ($3 IS NULL OR LOWER(name) LIKE $3 ESCAPE '!') \
     ORDER BY created_ms, id LIMIT $4 OFFSET $5";
const COUNT: &str = "SELECT COUNT(*) AS rows_counted FROM documents \
     WHERE kind = $1 AND ($2 IS NULL OR name = $2) AND ($3 IS NULL OR LOWER(name) LIKE $3 ESCAPE '!')";
const HEAD: &str = "SELECT seq, id FROM changes ORDER BY seq DESC LIMIT 1";
const PUT: &str = "INSERT INTO documents \
     (kind, id, name, body, secrets, declared, version, created_ms, updated_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7) \
     ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, body = excluded.body, \
     secrets = excluded.secrets, declared = excluded.declared, version = documents.version + 1, \
     updated_ms = excluded.updated_ms \
     RETURNING kind, id, name, body, secrets, declared, version, created_ms, updated_ms";
const DELETE: &str = "DELETE FROM documents WHERE kind = $1 AND id = $2";

impl Store {
    /// The objects of a kind, oldest first.
    pub async fn documents(&self, kind: Kind) -> Result<Vec<Document>, StoreError> {
        bounded(async { of_kind(&mut *self.reader().await?, kind).await }).await
    }

    /// One object.
    pub async fn document(&self, kind: Kind, id: Uuid) -> Result<Option<Document>, StoreError> {
        bounded(async { one(&mut *self.reader().await?, kind, id).await }).await
    }

    /// A page of the objects of a kind, oldest first, and how many there are on all pages.
    pub async fn documents_page(
        &self,
        kind: Kind,
        filter: &DocumentFilter,
        (limit, offset): (u32, u64),
    ) -> Result<(Vec<Document>, u64), StoreError> {
        let name = maybe_storable(filter.name.as_deref());
        let search = filter.search.as_deref().map(containing);
        bounded(async {
            let mut connection = self.reader().await?;
            let counted = sqlx::query(COUNT)
                .bind(kind.as_str())
                .bind(name.clone())
                .bind(search.clone())
                .fetch_one(&mut *connection)
                .await?;
            let counted = Cells::new(&counted, "documents", "rows_counted").int("rows_counted")?;
            let rows = sqlx::query(PAGE)
                .bind(kind.as_str())
                .bind(name.clone())
                .bind(search.clone())
                .bind(i64::from(limit))
                .bind(i64::try_from(offset).unwrap_or(i64::MAX))
                .fetch_all(&mut *connection)
                .await?;
            let documents = rows.iter().map(document).collect::<Result<_, _>>()?;
            Ok((documents, u64::try_from(counted).unwrap_or(0)))
        })
        .await
    }

    /// All objects and the change they stand at: one state, whatever is written meanwhile.
    pub async fn all_documents(&self) -> Result<(Position, Vec<Document>), StoreError> {
        bounded(async {
            let mut tx = self.begin_read().await?;
            let head = sqlx::query(HEAD).fetch_one(&mut *tx).await?;
            let rows = sqlx::query(ALL).fetch_all(&mut *tx).await?;
            tx.commit().await?;
            let documents = rows.iter().map(document).collect::<Result<_, _>>()?;
            Ok((position(&Cells::new(&head, "changes", "seq"))?, documents))
        })
        .await
    }
}

pub(super) async fn of_kind(connection: &mut AnyConnection, kind: Kind) -> Result<Vec<Document>, StoreError> {
    let rows = sqlx::query(OF_KIND)
        .bind(kind.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(document).collect()
}

pub(super) async fn one(
    connection: &mut AnyConnection,
    kind: Kind,
    id: Uuid,
) -> Result<Option<Document>, StoreError> {
    let row = sqlx::query(ONE)
        .bind(kind.as_str())
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(document).transpose()
}

/// Writes an object, new or not, and tells how it stands now.
pub(super) async fn put(
    tx: &mut Transaction<'static, Any>,
    document: &Document,
    now_ms: i64,
) -> Result<Document, StoreError> {
    let row = sqlx::query(PUT)
        .bind(document.kind.as_str())
        .bind(document.id.to_string())
        .bind(storable(&document.name))
        .bind(document.body.to_string())
        .bind(document.secrets.clone())
        .bind(i64::from(document.declared))
        .bind(now_ms)
        .fetch_one(&mut **tx)
        .await?;
    self::document(&row)
}

/// Deletes an object; whether there was one.
pub(super) async fn delete(
    tx: &mut Transaction<'static, Any>,
    kind: Kind,
    id: Uuid,
) -> Result<bool, StoreError> {
    let done = sqlx::query(DELETE)
        .bind(kind.as_str())
        .bind(id.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() > 0)
}

fn document(row: &AnyRow) -> Result<Document, StoreError> {
    let cells = Cells::new(row, "documents", "id");
    Ok(Document {
        kind: Kind::from_text(&cells.text("kind")?).ok_or_else(|| cells.corrupt("kind"))?,
        id: cells.parsed("id")?,
        name: cells.text("name")?,
        body: cells.json("body")?,
        secrets: cells.maybe_bytes("secrets")?,
        declared: cells.flag("declared")?,
        version: cells.int("version")?,
        created_ms: cells.int("created_ms")?,
        updated_ms: cells.int("updated_ms")?,
    })
}
