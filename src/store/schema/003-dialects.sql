-- SPDX-License-Identifier: GPL-2.0-or-later
-- What the dialects keep: attributes of policies and rules, the library of shared filter lists and
-- actions, settings that win over the configuration file, preshared keys. And a number that says
-- of which state somebody has read.
CREATE TABLE policy_attribute (
    policy   INTEGER NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position BETWEEN 0 AND 63), -- for display only
    key      TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 32),
    value    TEXT NOT NULL CHECK (length(CAST(value AS BLOB)) <= 65536),
    PRIMARY KEY (policy, position),
    UNIQUE (policy, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_attribute (
    rule     INTEGER NOT NULL REFERENCES rule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL CHECK (position BETWEEN 0 AND 63),
    key      TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 32),
    value    TEXT NOT NULL CHECK (length(CAST(value AS BLOB)) <= 65536),
    PRIMARY KEY (rule, position),
    UNIQUE (rule, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE library (
    name TEXT PRIMARY KEY CHECK (name = 'library'), -- one text
    text TEXT NOT NULL CHECK (length(text) > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    key   TEXT PRIMARY KEY CHECK (length(CAST(key AS BLOB)) BETWEEN 1 AND 255),
    value TEXT NOT NULL CHECK (length(CAST(value AS BLOB)) <= 65536)
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
    id    TEXT PRIMARY KEY CHECK (length(CAST(id AS BLOB)) BETWEEN 1 AND 255),
    value TEXT NOT NULL CHECK (length(CAST(value AS BLOB)) <= 65536)
) STRICT, WITHOUT ROWID;

-- The table again, because a CHECK cannot be changed. 'state' goes up with every change.
CREATE TABLE counter_3 (
    name  TEXT PRIMARY KEY CHECK (name IN ('generation', 'handle', 'state')),
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO counter_3 (name, value) SELECT name, value FROM counter;
INSERT INTO counter_3 (name, value) VALUES ('state', 1);
DROP TABLE counter;
ALTER TABLE counter_3 RENAME TO counter;

PRAGMA user_version = 3;
