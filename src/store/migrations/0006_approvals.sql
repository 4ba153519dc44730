-- People who ask for leave to enter an application for some time, and what approvers said.
CREATE TABLE approval_requests (
    id         TEXT   PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    email      TEXT,
    name       TEXT,
    app        TEXT   NOT NULL,
    policy     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    length_ms  BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    until_ms   BIGINT,
    decided_ms BIGINT
);
CREATE INDEX approval_requests_person ON approval_requests (user_id, app, policy, created_ms);
CREATE INDEX approval_requests_state ON approval_requests (state, created_ms);

-- One vote of each approver; without a length it says no.
CREATE TABLE approval_votes (
    request   TEXT   NOT NULL,
    approver  TEXT   NOT NULL,
    email     TEXT   NOT NULL,
    length_ms BIGINT,
    word      TEXT,
    at_ms     BIGINT NOT NULL,
    PRIMARY KEY (request, approver)
);
