/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every statement of the product, X(name, text), but those for tables that are gone
 * (old_contents.c). All are prepared once when the database is opened, values are bound by name, no
 * SQL text is ever built. */
#pragma once

#define STORE_STATEMENTS(X)                                                                        \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(SAVEPOINT, "SAVEPOINT change")                                                               \
    X(RELEASE, "RELEASE change")                                                                   \
    X(ROLLBACK_TO, "ROLLBACK TO change")                                                           \
    X(COUNTER_GET, "SELECT value FROM counter WHERE name = :name")                                 \
    X(COUNTER_RAISE, "UPDATE counter SET value = :value WHERE name = :name AND value < :value")    \
    X(STATE_RAISE, "UPDATE counter SET value = max(value, :last) + 1 WHERE name = 'state'"         \
                   " RETURNING value")                                                             \
    X(STATE_GET, "SELECT value FROM counter WHERE name = 'state'")                                 \
    X(POLICY_LIST,                                                                                 \
      "SELECT name, guid, revision, n_rules, n_filters, changed_s,"                                \
      " EXISTS (SELECT 1 FROM assignment AS a WHERE a.policy = p.id AND a.slot = 'local'),"        \
      " EXISTS (SELECT 1 FROM assignment AS a WHERE a.policy = p.id AND a.slot = 'persistent')"    \
      " FROM policy AS p ORDER BY folded")                                                         \
    X(POLICY_COUNT, "SELECT count(*) FROM policy")                                                 \
    X(POLICY_BY_NAME, "SELECT id, guid, name, revision, n_filters FROM policy"                     \
                      " WHERE folded = :folded")                                                   \
    X(POLICY_SOURCE, "SELECT iif(p.source = '', r.text, p.source) FROM policy p"                   \
                     " LEFT JOIN revision r ON r.folded = p.folded AND r.revision = p.revision"    \
                     " WHERE p.folded = :folded")                                                  \
    X(POLICY_SET_SOURCE, "UPDATE policy SET source = :source WHERE id = :id"                       \
                         " AND source IS NOT :source")                                             \
    X(POLICY_INSERT,                                                                               \
      "INSERT INTO policy (guid, name, folded, revision, n_rules, n_filters, changed_s, source)"   \
      " VALUES (:guid, :name, :folded, :revision, :n_rules, :n_filters, :changed_s, :source)")     \
    X(POLICY_UPDATE, "UPDATE policy SET guid = :guid, name = :name, revision = :revision,"         \
                     " n_rules = :n_rules, n_filters = :n_filters, changed_s = :changed_s,"        \
                     " source = :source WHERE folded = :folded")                                   \
    X(POLICY_MOVE, "UPDATE policy SET name = :name, folded = :to, revision = revision + :last"     \
                   " WHERE folded = :folded")                                                      \
    X(REVISIONS_MOVE, "UPDATE revision SET folded = :to, revision = revision + :last"              \
                      " WHERE folded = :folded")                                                   \
    X(POLICY_DELETE, "DELETE FROM policy WHERE id = :id")                                          \
    X(REVISION_TEXT, "SELECT text FROM revision WHERE folded = :folded AND revision = :revision")  \
    X(REVISION_LAST, "SELECT coalesce(max(revision), 0) FROM revision WHERE folded = :folded")     \
    X(REVISION_INSERT,                                                                             \
      "INSERT INTO revision (folded, revision, guid, text, change, time_s, uid, login, origin,"    \
      " reason, ids, peer) VALUES (:folded, :revision, :guid, :text, :change, :time_s, :uid,"      \
      " :login, :origin, :reason, :ids, :peer)")                                                   \
    X(REVISION_GET, "SELECT revision, text, guid, ids FROM revision"                               \
                    " WHERE folded = :folded AND revision = :revision")                            \
    X(REVISION_BEFORE,                                                                             \
      "SELECT max(revision) FROM revision AS r WHERE folded = :folded AND revision <"              \
      " coalesce((SELECT revision FROM policy WHERE folded = :folded), r.revision + 1)")           \
    X(HISTORY_OF,                                                                                  \
      "SELECT revision, time_s, uid, login, origin, peer, generation, change, NULL, reason"        \
      " FROM revision WHERE folded = :folded ORDER BY revision DESC LIMIT :limit")                 \
    X(HISTORY_ALL,                                                                                 \
      "SELECT revision, time_s, uid, login, origin, peer, generation, change, object, reason"      \
      " FROM audit ORDER BY id DESC LIMIT :limit")                                                 \
    X(REVISIONS_NUMBER,                                                                            \
      "UPDATE revision SET generation = :generation WHERE id >= :first AND generation IS NULL")    \
    X(AUDIT_INSERT,                                                                                \
      "INSERT INTO audit (time_s, uid, login, origin, change, object, reason, generation, peer,"   \
      " revision) VALUES (:time_s, :uid, :login, :origin, :change, :object, :reason, :generation," \
      " :peer, :revision)")                                                                        \
    X(AUDIT_OF_GENERATION,                                                                         \
      "SELECT 1 FROM audit WHERE generation = :generation ORDER BY id DESC LIMIT 1")               \
    X(AUDIT_NUMBER,                                                                                \
      "UPDATE audit SET generation = :generation WHERE id >= :first AND generation IS NULL")       \
    X(ASSIGNED, "SELECT policy.id, policy.name FROM assignment"                                    \
                " JOIN policy ON policy.id = assignment.policy WHERE slot = :slot")                \
    X(SLOT_OF, "SELECT slot FROM assignment WHERE policy = :policy")                               \
    X(ASSIGN, "INSERT INTO assignment (slot, policy) VALUES (:slot, :policy)"                      \
              " ON CONFLICT (slot) DO UPDATE SET policy = excluded.policy")                        \
    X(UNASSIGN, "DELETE FROM assignment WHERE slot = :slot")                                       \
    X(LIBRARY_GET, "SELECT text FROM library WHERE name = :key")                                   \
    X(LIBRARY_PUT, "INSERT INTO library (name, text) VALUES (:key, :value)"                        \
                   " ON CONFLICT (name) DO UPDATE SET text = excluded.text")                       \
    X(LIBRARY_DELETE, "DELETE FROM library WHERE name = :key")                                     \
    X(LIBRARY_COUNT, "SELECT count(*) FROM library")                                               \
    X(SETTINGS, "SELECT key, value FROM setting ORDER BY key")                                     \
    X(SETTING_GET, "SELECT value FROM setting WHERE key = :key")                                   \
    X(SETTING_PUT, "INSERT INTO setting (key, value) VALUES (:key, :value)"                        \
                   " ON CONFLICT (key) DO UPDATE SET value = excluded.value")                      \
    X(SETTING_DELETE, "DELETE FROM setting WHERE key = :key")                                      \
    X(SETTING_COUNT, "SELECT count(*) FROM setting")                                               \
    X(SECRET_GET, "SELECT value FROM secret WHERE id = :key")                                      \
    X(SECRET_PUT, "INSERT INTO secret (id, value) VALUES (:key, :value)"                           \
                  " ON CONFLICT (id) DO UPDATE SET value = excluded.value")                        \
    X(SECRET_DELETE, "DELETE FROM secret WHERE id = :key")                                         \
    X(SECRET_COUNT, "SELECT count(*) FROM secret")
