//! Objects of the API, kept as they were accepted.

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Transaction};
use uuid::Uuid;

use super::row::{Cells, storable};
use super::{Store, StoreError, bounded};

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

impl Document {
    /// One that is to be written: without secrets, not declared, and not counted or timed yet, which the store does.
    pub fn new(kind: Kind, id: Uuid, name: String, body: serde_json::Value) -> Self {
        Self {
            kind,
            id,
            name,
            body,
            secrets: None,
            declared: false,
            version: 0,
            created_ms: 0,
            updated_ms: 0,
        }
    }
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

const ALL: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents ORDER BY kind, created_ms, id";
const OF_KIND: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents WHERE kind = $1 ORDER BY created_ms, id";
const ONE: &str = "SELECT kind, id, name, body, secrets, declared, version, created_ms, updated_ms \
     FROM documents WHERE kind = $1 AND id = $2";
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
    row_of(connection, kind, id)
        .await?
        .as_ref()
        .map(document)
        .transpose()
}

/// The row of an object.
pub(super) async fn row_of(
    connection: &mut AnyConnection,
    kind: Kind,
    id: Uuid,
) -> Result<Option<AnyRow>, StoreError> {
    let asked = sqlx::query(ONE).bind(kind.as_str()).bind(id.to_string());
    Ok(asked.fetch_optional(connection).await?)
}

/// The rows of all objects.
pub(super) async fn rows(connection: &mut AnyConnection) -> Result<Vec<AnyRow>, StoreError> {
    Ok(sqlx::query(ALL).fetch_all(connection).await?)
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

/// Reads a row that names all columns.
pub(super) fn document(row: &AnyRow) -> Result<Document, StoreError> {
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
