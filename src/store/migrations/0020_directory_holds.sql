-- What a reading of a directory would have taken away that was held back: another one is measured by it.
CREATE TABLE directory_holds (
    provider TEXT   PRIMARY KEY,
    since_ms BIGINT NOT NULL,
    -- The directory and the application that told it.
    source   TEXT   NOT NULL,
    losses   TEXT   NOT NULL
);
