-- Trials of policies, with how they came out, for every gateway to tell. Few are kept, and each for an hour.
CREATE TABLE trials (
    id         TEXT   PRIMARY KEY,
    begun_ms   BIGINT NOT NULL,
    touched_ms BIGINT NOT NULL,
    standing   TEXT   NOT NULL,
    total      BIGINT NOT NULL,
    batches    BIGINT NOT NULL,
    approved   BIGINT NOT NULL,
    blocked    BIGINT NOT NULL,
    uncertain  BIGINT NOT NULL
);
-- How the users of one batch came out, in the order of the register: 16 bytes of id and one of outcome each.
CREATE TABLE trial_outcomes (
    trial     TEXT   NOT NULL,
    batch     BIGINT NOT NULL,
    approved  BIGINT NOT NULL,
    blocked   BIGINT NOT NULL,
    uncertain BIGINT NOT NULL,
    outcomes  BLOB   NOT NULL,
    PRIMARY KEY (trial, batch)
);
