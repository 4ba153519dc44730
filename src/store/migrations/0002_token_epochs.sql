-- From which change on application tokens count: all of an application (`nonce` is empty), or those of one session.
CREATE TABLE token_epochs (
    aud   TEXT   NOT NULL,
    nonce TEXT   NOT NULL,
    epoch BIGINT NOT NULL,
    PRIMARY KEY (aud, nonce)
);
