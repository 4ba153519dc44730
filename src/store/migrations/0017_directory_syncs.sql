-- How far each provider's directory has been read by Graph, who reads it, and how that went.
CREATE TABLE directory_syncs (
    provider        TEXT   PRIMARY KEY,
    -- The directory and the application that the links are of.
    source          TEXT,
    people_link     TEXT,
    groups_link     TEXT,
    -- The gateway that reads it, and until when no other does.
    holder          TEXT,
    held_until_ms   BIGINT NOT NULL DEFAULT 0,
    wanted_ms       BIGINT NOT NULL DEFAULT 0,
    began_ms        BIGINT NOT NULL DEFAULT 0,
    ended_ms        BIGINT NOT NULL DEFAULT 0,
    succeeded_ms    BIGINT NOT NULL DEFAULT 0,
    -- When everything was read, and not only what had changed.
    whole_ms        BIGINT NOT NULL DEFAULT 0,
    people_known    BIGINT NOT NULL DEFAULT 0,
    groups_known    BIGINT NOT NULL DEFAULT 0,
    failure         TEXT,
    -- Since when a round waits to be confirmed that would put many people out, and how many.
    held_back_ms    BIGINT,
    held_back       BIGINT NOT NULL DEFAULT 0
);

-- Members of groups that are no people the directory has told of: groups within groups, and people not told of yet.
CREATE TABLE directory_members (
    provider     TEXT NOT NULL,
    group_object TEXT NOT NULL,
    member       TEXT NOT NULL,
    PRIMARY KEY (provider, group_object, member)
);
CREATE INDEX directory_members_member ON directory_members (provider, member);
