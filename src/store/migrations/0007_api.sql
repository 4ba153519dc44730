-- Tokens of the API, by the hash of the token.
CREATE TABLE api_tokens (
    id           TEXT   PRIMARY KEY,
    name         TEXT   NOT NULL UNIQUE,
    hash         TEXT   NOT NULL UNIQUE,
    permissions  TEXT   NOT NULL,
    addresses    TEXT   NOT NULL,
    expires_ms   BIGINT,
    declared     BIGINT NOT NULL,
    created_ms   BIGINT NOT NULL,
    last_used_ms BIGINT
);

-- Lists of the API are read a page at a time.
CREATE INDEX documents_order ON documents (kind, created_ms, id);
CREATE INDEX documents_name ON documents (kind, name);
CREATE INDEX users_order ON users (created_ms, id);
