-- When service tokens were last let in. Not part of the object: a use is no change.
CREATE TABLE service_token_uses (
    id           TEXT   PRIMARY KEY,
    last_seen_ms BIGINT NOT NULL
);
