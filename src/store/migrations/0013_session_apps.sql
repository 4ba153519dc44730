-- For which applications a session was given tokens.
CREATE TABLE session_apps (
    nonce TEXT   NOT NULL,
    aud   TEXT   NOT NULL,
    at_ms BIGINT NOT NULL,
    PRIMARY KEY (nonce, aud)
);
CREATE INDEX session_apps_aud ON session_apps (aud);
