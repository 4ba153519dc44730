-- Columns are TEXT, BIGINT and BLOB alone: the types that sqlx `Any` reads alike from both databases. Truth values
-- are 0 or 1, times milliseconds since 1970, identifiers and JSON text.

-- The counter behind `changes`. One row, whose lock puts changes into commit order.
CREATE TABLE change_head (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    seq BIGINT NOT NULL
);

-- What happened, for every gateway to follow. `id` is random: a reader that finds another id behind a number it knows
-- looks at a restored database, and reads everything anew.
CREATE TABLE changes (
    seq     BIGINT PRIMARY KEY,
    id      TEXT   NOT NULL,
    kind    TEXT   NOT NULL,
    subject TEXT   NOT NULL,
    at_ms   BIGINT NOT NULL
);

-- Objects of the API as accepted, without their secrets, which stand sealed beside them.
CREATE TABLE documents (
    kind       TEXT   NOT NULL,
    id         TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    secrets    BLOB,
    declared   BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);

-- People who signed in. `generation` is the change number of the user's last ending: no login that began before it
-- counts.
CREATE TABLE users (
    id            TEXT   PRIMARY KEY,
    provider      TEXT   NOT NULL,
    tenant        TEXT   NOT NULL,
    object        TEXT   NOT NULL,
    email         TEXT,
    name          TEXT,
    generation    BIGINT NOT NULL,
    deprovisioned BIGINT NOT NULL,
    created_ms    BIGINT NOT NULL,
    last_login_ms BIGINT NOT NULL,
    UNIQUE (provider, tenant, object)
);
CREATE INDEX users_email ON users (email);

-- Organization sessions. `identity` is what the provider said, authentication contexts included; `read_at` the newest
-- change when the login began.
CREATE TABLE sessions (
    nonce            TEXT   PRIMARY KEY,
    user_id          TEXT   NOT NULL REFERENCES users (id),
    provider         TEXT   NOT NULL,
    provider_session TEXT,
    identity         TEXT   NOT NULL,
    identity_version BIGINT NOT NULL,
    refresh_token    BLOB,
    read_at          BIGINT NOT NULL,
    created_ms       BIGINT NOT NULL,
    expires_ms       BIGINT NOT NULL,
    last_use_ms      BIGINT NOT NULL,
    ended_ms         BIGINT,
    ended_cause      TEXT,
    address          TEXT   NOT NULL,
    agent            TEXT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_provider_session ON sessions (provider, provider_session);
CREATE INDEX sessions_expiry ON sessions (expires_ms);

-- Keys that sign tokens; the private half is sealed.
CREATE TABLE signing_keys (
    kid            TEXT   PRIMARY KEY,
    private_sealed BLOB   NOT NULL,
    public_jwk     TEXT   NOT NULL,
    certificate    TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    created_ms     BIGINT NOT NULL,
    signs_from_ms  BIGINT,
    retires_ms     BIGINT
);

-- What may be used once and has been.
CREATE TABLE spent (
    hash     TEXT   PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
CREATE INDEX spent_until ON spent (until_ms);

-- Every login and refusal. `request_id` may come from a proxy in front, so it is no key.
CREATE TABLE access_requests (
    id         TEXT   PRIMARY KEY,
    request_id TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL,
    action     TEXT   NOT NULL,
    allowed    BIGINT NOT NULL,
    app        TEXT,
    app_domain TEXT,
    app_name   TEXT,
    provider   TEXT,
    connection TEXT   NOT NULL,
    user_id    TEXT,
    email      TEXT,
    address    TEXT   NOT NULL,
    country    TEXT,
    reason     TEXT
);
CREATE INDEX access_requests_time ON access_requests (at_ms);
CREATE INDEX access_requests_email ON access_requests (email, at_ms);
CREATE INDEX access_requests_app ON access_requests (app, at_ms);
CREATE INDEX access_requests_request ON access_requests (request_id);

-- Who changed which object, and what it was before. `seq` is the change the entry belongs to, `nth` its place in it.
CREATE TABLE audit (
    seq         BIGINT NOT NULL,
    nth         BIGINT NOT NULL,
    at_ms       BIGINT NOT NULL,
    actor_kind  TEXT   NOT NULL,
    actor_name  TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    id          TEXT   NOT NULL,
    body_before TEXT,
    body_after  TEXT,
    PRIMARY KEY (seq, nth)
);
CREATE INDEX audit_object ON audit (kind, id);
