-- Whether a person of a directory is linked by nothing but an address, which may come to be somebody else's.
ALTER TABLE scim_users ADD COLUMN by_address BIGINT NOT NULL DEFAULT 0;
UPDATE scim_users SET by_address = 1 WHERE user_id IS NOT NULL AND object IS NULL;

-- Addresses of people whom a directory has deleted without ever having said which objects they are, in lower case.
CREATE TABLE scim_buried_addresses (
    provider TEXT   NOT NULL,
    email    TEXT   NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (provider, email)
);

-- Groups of Entra that a directory took from somebody a moment ago, for logins that began before it did.
CREATE TABLE scim_taken (
    provider  TEXT   NOT NULL,
    scim_user TEXT   NOT NULL,
    object    TEXT   NOT NULL,
    at_ms     BIGINT NOT NULL
);
CREATE INDEX scim_taken_user ON scim_taken (scim_user, at_ms);
CREATE INDEX scim_taken_time ON scim_taken (at_ms);

-- People whose inherited groups are to be read again, and what a directory said of their groups until then. `mark` is
-- another with every addition.
CREATE TABLE scim_rereads (
    user_id  TEXT   PRIMARY KEY,
    provider TEXT   NOT NULL,
    tenant   TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    change   TEXT   NOT NULL,
    mark     TEXT   NOT NULL,
    at_ms    BIGINT NOT NULL
);
CREATE INDEX scim_rereads_time ON scim_rereads (at_ms);

-- Since when the provider has not vouched for the person, though it was asked; nothing where it did when it was asked last.
ALTER TABLE sessions ADD COLUMN refresh_failing_since_ms BIGINT;

-- Whose seat may be freed.
CREATE INDEX users_seats ON users (seat, last_login_ms);
