-- People as directories describe them by SCIM. `body` is the resource, normalised; the columns beside it are what is
-- looked up: the name in lower case, the directory's id, the object id where that is one, and whom it is linked to.
CREATE TABLE scim_users (
    id          TEXT   PRIMARY KEY,
    provider    TEXT   NOT NULL,
    user_name   TEXT   NOT NULL,
    external_id TEXT,
    object      TEXT,
    active      BIGINT NOT NULL,
    user_id     TEXT,
    body        TEXT   NOT NULL,
    created_ms  BIGINT NOT NULL,
    updated_ms  BIGINT NOT NULL,
    UNIQUE (provider, user_name),
    UNIQUE (provider, object)
);
CREATE INDEX scim_users_external ON scim_users (provider, external_id);
CREATE INDEX scim_users_order ON scim_users (provider, created_ms, id);
CREATE INDEX scim_users_linked ON scim_users (user_id);

-- Their addresses, in lower case.
CREATE TABLE scim_emails (
    email     TEXT NOT NULL,
    provider  TEXT NOT NULL,
    scim_user TEXT NOT NULL,
    PRIMARY KEY (email, provider, scim_user)
);
CREATE INDEX scim_emails_user ON scim_emails (scim_user);

CREATE TABLE scim_groups (
    id           TEXT   PRIMARY KEY,
    provider     TEXT   NOT NULL,
    name_key     TEXT   NOT NULL,
    display_name TEXT   NOT NULL,
    external_id  TEXT,
    object       TEXT,
    created_ms   BIGINT NOT NULL,
    updated_ms   BIGINT NOT NULL,
    UNIQUE (provider, name_key),
    UNIQUE (provider, object)
);
CREATE INDEX scim_groups_external ON scim_groups (provider, external_id);
CREATE INDEX scim_groups_order ON scim_groups (provider, created_ms, id);

-- One row a membership, so that a change of one does not touch the others.
CREATE TABLE scim_members (
    scim_group TEXT NOT NULL,
    scim_user  TEXT NOT NULL,
    PRIMARY KEY (scim_group, scim_user)
);
CREATE INDEX scim_members_user ON scim_members (scim_user);

-- People whom a directory has deleted: they stay out until it tells of them anew.
CREATE TABLE scim_tombstones (
    provider TEXT   NOT NULL,
    object   TEXT   NOT NULL,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (provider, object)
);

-- The hash of the secret that was generated last for each provider.
CREATE TABLE scim_secrets (
    provider   TEXT   PRIMARY KEY,
    hash       TEXT   NOT NULL,
    created_ms BIGINT NOT NULL
);

-- Every request of SCIM, with its body and what followed.
CREATE TABLE scim_updates (
    id            TEXT   PRIMARY KEY,
    request_id    TEXT   NOT NULL,
    at_ms         BIGINT NOT NULL,
    provider      TEXT   NOT NULL,
    method        TEXT   NOT NULL,
    resource_type TEXT,
    resource      TEXT,
    external_id   TEXT,
    user_email    TEXT,
    group_name    TEXT,
    succeeded     BIGINT NOT NULL,
    status        BIGINT NOT NULL,
    error         TEXT,
    body          TEXT,
    effect        TEXT,
    address       TEXT   NOT NULL
);
CREATE INDEX scim_updates_provider ON scim_updates (provider, at_ms);
CREATE INDEX scim_updates_time ON scim_updates (at_ms);

-- Whether somebody takes a seat: since the last login, until it is freed.
ALTER TABLE users ADD COLUMN seat BIGINT NOT NULL DEFAULT 1;
-- Whether the address of the last login may link the user to a person of a directory: a member's, vouched for.
ALTER TABLE users ADD COLUMN linkable BIGINT NOT NULL DEFAULT 0;
CREATE INDEX users_last_login ON users (last_login_ms, id);
