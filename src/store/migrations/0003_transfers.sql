-- Tokens on their way to a program at a command line, in a box that only the program can open. Each is read once, by
-- the hash of the program's public key.
CREATE TABLE transfers (
    key_hash    TEXT   PRIMARY KEY,
    body        BLOB   NOT NULL,
    service_key TEXT   NOT NULL,
    until_ms    BIGINT NOT NULL
);
CREATE INDEX transfers_until ON transfers (until_ms);
