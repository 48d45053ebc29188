-- SPDX-License-Identifier: GPL-2.0-or-later
-- First schema. Runs inside one transaction on an empty database. Enums are stored as the words
-- of the grammar, names beside their folded form (names compare without regard to case), GUIDs as
-- 16 bytes, times as Unix seconds.
PRAGMA application_id = 1886872676; -- "pwdd": only files that carry it are ours

CREATE TABLE counter (
    name  TEXT PRIMARY KEY CHECK (name IN ('generation', 'handle')),
    value INTEGER NOT NULL CHECK (value >= 0) -- the last number given
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES ('generation', 0), ('handle', 0);

CREATE TABLE policy (
    id            INTEGER PRIMARY KEY,
    guid          BLOB NOT NULL UNIQUE CHECK (length(guid) = 16),
    name          TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
    folded        TEXT NOT NULL UNIQUE CHECK (length(CAST(folded AS BLOB)) BETWEEN 1 AND 255),
    description   TEXT CHECK (length(CAST(description AS BLOB)) <= 65536),
    poll_s        INTEGER NOT NULL CHECK (poll_s BETWEEN 0 AND 4294967295), -- 0 = not given
    local_permits INTEGER NOT NULL CHECK (local_permits IN (-1, 0, 1)),     -- -1 = not given
    weak          INTEGER NOT NULL CHECK (weak IN (-1, 0, 1)),
    revision      INTEGER NOT NULL CHECK (revision >= 1),
    n_rules       INTEGER NOT NULL CHECK (n_rules BETWEEN 0 AND 4096),
    n_filters     INTEGER NOT NULL CHECK (n_filters >= 0),
    changed_s     INTEGER NOT NULL,
    source        TEXT -- the text as it was loaded; NULL once it was changed otherwise
) STRICT;

CREATE TABLE rule (
    id         INTEGER PRIMARY KEY,
    policy     INTEGER NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL CHECK (position BETWEEN 0 AND 4095), -- for display only
    guid       BLOB NOT NULL UNIQUE CHECK (length(guid) = 16),
    name       TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) BETWEEN 1 AND 255),
    folded     TEXT NOT NULL CHECK (length(CAST(folded AS BLOB)) BETWEEN 1 AND 255),
    inactive   INTEGER NOT NULL CHECK (inactive IN (0, 1)),
    connection TEXT NOT NULL CHECK (connection IN ('all', 'lan', 'dialup')),
    UNIQUE (policy, folded)
) STRICT;
CREATE INDEX rule_order ON rule (policy, position);

CREATE TABLE filter (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position >= 0),
    guid     BLOB NOT NULL UNIQUE CHECK (length(guid) = 16),
    handle   INTEGER NOT NULL UNIQUE CHECK (handle BETWEEN 1 AND 4294967295),
    text     TEXT NOT NULL CHECK (length(text) > 0), -- canonical
    PRIMARY KEY (rule, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignment (
    slot   TEXT PRIMARY KEY CHECK (slot IN ('local', 'persistent')),
    policy INTEGER NOT NULL REFERENCES policy (id) ON DELETE RESTRICT
) STRICT, WITHOUT ROWID;

-- Every revision with its whole text. Not tied to the policy: it outlives it, and a policy that
-- comes back under the same name goes on counting.
CREATE TABLE revision (
    id         INTEGER PRIMARY KEY,
    folded     TEXT NOT NULL CHECK (length(CAST(folded AS BLOB)) BETWEEN 1 AND 255),
    revision   INTEGER NOT NULL CHECK (revision >= 1),
    guid       BLOB NOT NULL CHECK (length(guid) = 16),
    text       TEXT NOT NULL, -- canonical
    change     TEXT NOT NULL CHECK (length(change) > 0),
    time_s     INTEGER NOT NULL,
    uid        INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
    login      TEXT NOT NULL CHECK (length(CAST(login AS BLOB)) <= 63),
    origin     TEXT NOT NULL
               CHECK (origin IN ('cli', 'api', 'agent', 'console', 'dialect', 'domain')),
    reason     TEXT CHECK (length(CAST(reason AS BLOB)) <= 1024),
    generation INTEGER CHECK (generation >= 1), -- NULL: changed no packet
    UNIQUE (folded, revision)
) STRICT;

CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    time_s     INTEGER NOT NULL,
    uid        INTEGER NOT NULL CHECK (uid BETWEEN 0 AND 4294967295),
    login      TEXT NOT NULL CHECK (length(CAST(login AS BLOB)) <= 63),
    origin     TEXT NOT NULL
               CHECK (origin IN ('cli', 'api', 'agent', 'console', 'dialect', 'domain')),
    change     TEXT NOT NULL CHECK (length(change) > 0),
    object     TEXT NOT NULL,
    reason     TEXT CHECK (length(CAST(reason AS BLOB)) <= 1024),
    generation INTEGER CHECK (generation >= 1)
) STRICT;

PRAGMA user_version = 1;
