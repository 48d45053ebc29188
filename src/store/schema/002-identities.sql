-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a rollback needs to bring back more than words, and who made a change from where.
-- Revisions of version 1 have no identities: a rollback to one takes those of namesakes.
ALTER TABLE revision ADD COLUMN ids BLOB; -- per rule its GUID, per filter GUID and handle (big-endian)
ALTER TABLE revision ADD COLUMN peer TEXT CHECK (length(peer) BETWEEN 1 AND 45); -- address the client named
ALTER TABLE audit ADD COLUMN peer TEXT CHECK (length(peer) BETWEEN 1 AND 45);
ALTER TABLE audit ADD COLUMN revision INTEGER CHECK (revision >= 1); -- NULL: made none
PRAGMA user_version = 2;
