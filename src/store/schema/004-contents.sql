-- SPDX-License-Identifier: GPL-2.0-or-later
-- What a policy says is in the row of its last revision alone: canonical text and identities. Rows
-- for single rules and filters said the same once more, and cost most of the time of a large policy.
-- migrate.c has seen to it before that every policy has such a row.
DROP TABLE rule_attribute;
DROP TABLE policy_attribute;
DROP TABLE filter;
DROP TABLE rule;
ALTER TABLE policy DROP COLUMN description;
ALTER TABLE policy DROP COLUMN poll_s;
ALTER TABLE policy DROP COLUMN local_permits;
ALTER TABLE policy DROP COLUMN weak;
PRAGMA user_version = 4;
