/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events: everything noteworthy has a stable id in this one table (docs/events.md is compared
 * with it). Whoever decides logs, exactly once; libraries are silent. An event goes to the
 * journal with fields when standard error is the journal, else as one JSON line to it. Values
 * are escaped; fields are upper-case names of the caller's choice. */
#pragma once
#include "base/util.h"

/* X(id, level, name, text); levels are those of syslog(3). */
#define AGENT_EVENTS(X)                                                                        \
    X(AGENT_STARTED, LOG_INFO, "agent-started", "agent started")                               \
    X(AGENT_STOPPED, LOG_INFO, "agent-stopped", "agent stopped, blocks stay in force")         \
    X(GENERATION_ADOPTED, LOG_INFO, "generation-adopted", "generation in the kernel adopted")  \
    X(GENERATION_INSTALLED, LOG_INFO, "generation-installed", "generation installed")          \
    X(GENERATION_REFUSED, LOG_WARNING, "generation-refused", "change refused, old one kept")   \
    X(SELF_TEST_FAILED, LOG_CRIT, "self-test-failed", "program and evaluator disagree")        \
    X(POLICY_ASSIGNED, LOG_NOTICE, "policy-assigned", "policy assigned")                       \
    X(POLICY_UNASSIGNED, LOG_NOTICE, "policy-unassigned", "policy unassigned")                 \
    X(FILTER_ADDED, LOG_NOTICE, "filter-added", "dynamic filter added")                        \
    X(FILTER_DELETED, LOG_NOTICE, "filter-deleted", "dynamic filter deleted")                  \
    X(FILTER_EXPIRED, LOG_NOTICE, "filter-expired", "dynamic filter expired")                  \
    X(CONFIG_RELOADED, LOG_NOTICE, "config-reloaded", "configuration read again")              \
    X(CONFIG_REFUSED, LOG_ERR, "config-refused", "configuration refused, old one kept")        \
    X(ADDRESS_CHANGED, LOG_NOTICE, "address-changed", "addresses behind a name changed")       \
    X(ADDRESS_REFUSED, LOG_WARNING, "address-refused", "answer not believed, addresses kept")  \
    X(NAME_FAILED, LOG_WARNING, "name-failed", "name not resolved, addresses kept")            \
    X(NAMES_LOST, LOG_ERR, "names-lost", "file with addresses of names is damaged")            \
    X(FETCH_CONNECTED, LOG_INFO, "fetch-connected", "portward-fetch is connected")             \
    X(FETCH_LOST, LOG_WARNING, "fetch-lost", "portward-fetch is gone, addresses kept")         \
    X(HOST_CHANGED, LOG_INFO, "host-changed", "interfaces or addresses changed")               \
    X(TAMPER, LOG_CRIT, "tamper", "somebody changed a hook, link or pin of ours")              \
    X(PACKET_DROPPED, LOG_INFO, "packet-dropped", "packet dropped")                            \
    X(PACKET_PASSED, LOG_INFO, "packet-passed", "packet passed")                               \
    X(LOG_SUPPRESSED, LOG_NOTICE, "log-suppressed", "packets that are not in the log")         \
    X(SCAN_DETECTED, LOG_WARNING, "scan-detected", "a source tries ports in vain")             \
    X(SCAN_ENDED, LOG_NOTICE, "scan-ended", "a scan is over")                                  \
    X(SCAN_MORE, LOG_WARNING, "scan-more", "scans without an event of their own")              \
    X(SCAN_DETECTOR_BLIND, LOG_WARNING, "scan-detector-blind",                                 \
      "too many sources: scans may go unseen")                                                 \
    X(SCAN_BLOCKED, LOG_NOTICE, "scan-blocked", "the source of a scan is blocked for a time")  \
    X(SCAN_BLOCK_LIMIT, LOG_WARNING, "scan-block-limit", "too many sources to block")          \
    X(LOG_FILE_FAILED, LOG_ERR, "log-file-failed", "a file of the packet log is not written")  \
    X(RPC_EXHAUSTED, LOG_WARNING, "rpc-exhausted", "no free port for a confined server")       \
    X(RPC_RESERVE, LOG_WARNING, "rpc-reserve", "clients reached the reserve of listeners")     \
    X(RPC_ESCAPE, LOG_WARNING, "rpc-escape", "a confined server listens outside of its range") \
    X(RPC_GUARD, LOG_WARNING, "rpc-guard", "a program wanted a port of the confined range")    \
    X(RPC_RESTART_NEEDED, LOG_NOTICE, "rpc-restart-needed", "a server has ports of before")    \
    X(RPC_CONFIG_INVALID, LOG_ERR, "rpc-config-invalid", "confined servers get no port")       \
    X(RPC_FAILED, LOG_ERR, "rpc-failed", "ports cannot be confined as set")                    \
    X(MPP_SETTINGS_CHANGE, LOG_NOTICE, "mpp-settings-change", "memory protection changed")     \
    X(MPP_SETTINGS_RESET, LOG_NOTICE, "mpp-settings-reset", "memory protection reset")         \
    X(MPP_PRESSURE_ENTER, LOG_WARNING, "mpp-pressure-enter", "attack on TCP memory")           \
    X(MPP_PRESSURE_LEAVE, LOG_NOTICE, "mpp-pressure-leave", "attack on TCP memory is over")    \
    X(MPP_PRESSURE_NO_ATTACK, LOG_WARNING, "mpp-pressure-no-attack", "TCP memory is short")    \
    X(MPP_PRESSURE_PROTECTED, LOG_CRIT, "mpp-pressure-protected-by-settings",                  \
      "settings spare what fills TCP memory")                                                  \
    X(MPP_PRESSURE_ELSEWHERE, LOG_CRIT, "mpp-pressure-elsewhere",                              \
      "another network namespace fills TCP memory")                                            \
    X(MPP_PRUNE, LOG_NOTICE, "mpp-prune", "connection ended")                                  \
    X(MPP_PRUNE_SUMMARY, LOG_NOTICE, "mpp-prune-summary", "connections ended")                 \
    X(MPP_GATE, LOG_WARNING, "mpp-gate", "level of the SYN gate changed")                      \
    X(MPP_BAN_FULL, LOG_WARNING, "mpp-ban-full", "no room for another banned source")          \
    X(MPP_SYN_DROP, LOG_NOTICE, "mpp-syn-drop", "SYNs dropped within a second")                \
    X(MPP_LOST, LOG_WARNING, "mpp-lost", "records of ended connections lost")                  \
    X(MPP_DEGRADED, LOG_ERR, "mpp-degraded", "memory protection does not work in full")        \
    X(WORKER_FAILED, LOG_ERR, "worker-failed", "a kernel operation failed")                    \
    X(PERMISSION_DENIED, LOG_WARNING, "permission-denied", "request without the right to it")  \
    X(AGENT_FAILED, LOG_ERR, "agent-failed", "agent cannot go on")

#define AGENT_EVENT_ID(id, level, name, text) EV_##id,
enum agent_event_id { AGENT_EVENTS(AGENT_EVENT_ID) _EV_MAX };
#undef AGENT_EVENT_ID

const char *event_name(enum agent_event_id id);
/* Pairs of field name and value, ended by NULL; a NULL value leaves its field out. */
void event_log(enum agent_event_id id, ...) __attribute__((sentinel));
