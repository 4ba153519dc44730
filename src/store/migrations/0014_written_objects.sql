-- Which objects a change wrote, so that whoever holds the others reads these alone. A change of objects without rows
-- here is of a release that does not know this table: then everything is read.
CREATE TABLE written_objects (
    seq  BIGINT NOT NULL,
    kind TEXT   NOT NULL,
    id   TEXT   NOT NULL,
    PRIMARY KEY (seq, kind, id)
);
CREATE INDEX changes_kind ON changes (kind, seq);
