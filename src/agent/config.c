/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/config.c: the INI parser of portward.conf and the table of its keys.
 * Called by config_files.c, the fuzz target and unit tests. Pure. Invariant: a text with any
 * error changes nothing; an unknown section or key is an error, because a setting that is
 * silently not in force protects nobody. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "text/text.h"

struct parser {
    const char *file; /* NULL = the setting comes from no file */
    unsigned line;
    struct agent_config *c;
    struct diag *d;
};

/* Refuses with the place in front: the file is not part of struct diag. */
static int _printf_(3, 4) refuse(const struct parser *p, enum diag_code code, const char *fmt, ...)
{
    char text[DIAG_MESSAGE_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap); /* a cut message is still a message */
    va_end(ap);
    if (!p->file)
        return diag_fail(p->d, code, "%s", text);
    return diag_fail(p->d, code, "%s:%u: %s", p->file, p->line, text);
}

static int bad_value(const struct parser *p, const char *key, const char *value, const char *values)
{
    int err = refuse(p, DIAG_SYNTAX, "value '%.64s' does not fit '%s'", value, key);
    diag_hint(p->d, "%s = %s", key, values);
    return err;
}

int agent_config_word(const char *value, const char *words)
{
    size_t n = strlen(value);
    for (int i = 0; n > 0; i++) {
        size_t len = strcspn(words, "|");
        if (len == n && memcmp(words, value, n) == 0)
            return i;
        if (!words[len])
            break;
        words += len + 1;
    }
    return -1;
}

static void set_exempt(struct agent_config *c, int v)
{
    c->filter.exempt = (uint8_t)v;
}
static void set_masqueraded(struct agent_config *c, int v)
{
    c->filter.masqueraded_pass = v == 1;
}
static void set_source_route(struct agent_config *c, int v)
{
    c->filter.source_route_classify = v == 1;
}
static void set_dhcp_client(struct agent_config *c, int v)
{
    c->filter.dhcp_client_off = v == 1;
}
static void set_hook(struct agent_config *c, int v)
{
    c->hook = (enum hook_mode)v;
}
static void set_guard(struct agent_config *c, int v)
{
    c->guard = v == 0;
}
static void set_counters(struct agent_config *c, int v)
{
    c->filter.counters_off = v == 1;
}
static void set_mpp_role(struct agent_config *c, int v)
{
    c->mpp.client = v == 1;
}
static void set_mpp_gate(struct agent_config *c, int v)
{
    c->mpp.gate_max = (uint8_t)v;
}
static void set_mpp_pruner(struct agent_config *c, int v)
{
    c->mpp.by_diag = v == 1;
}
static void set_journal(struct agent_config *c, int v)
{
    c->log.no_journal = v == 1;
}
static void set_scan_detect(struct agent_config *c, int v)
{
    c->scan.off = v == 1;
}
static void set_scan_block_proven(struct agent_config *c, int v)
{
    c->scan.block_unproven = v == 1;
}
static void set_lost_on_stop(struct agent_config *c, int v)
{
    c->lost_on_stop = v == 1;
}

/* One key; the value is one of words, and set() gets its position. fallback: what holds if no file
 * says anything. set NULL and words NULL: see set_text(), which knows their grammars; set NULL with
 * words: not in this version. */
static const struct key {
    const char *section, *name, *words;
    void (*set)(struct agent_config *c, int v);
    const char *fallback;
} keys[] = {
    {"filter", "exempt", "0|1|2|3", set_exempt, "3"},
    {"filter", "masqueraded", "judge|pass", set_masqueraded, "judge"},
    {"filter", "source-route", "drop|classify", set_source_route, "drop"},
    {"filter", "dhcp-client", "auto|off", set_dhcp_client, "auto"},
    {"filter", "wins", NULL, NULL, ""},
    {"safety", "failsafe", NULL, NULL, ""},
    {"dynamic", "lost-on-stop", "no|yes", set_lost_on_stop, "no"},
    {"log", "rate", NULL, NULL, "10"},
    {"log", "total-rate", NULL, NULL, "1000"},
    {"log", "journal", "on|off", set_journal, "on"},
    {"log", "json-file", NULL, NULL, ""},
    {"log", "pfirewall-file", NULL, NULL, ""},
    {"log", "max-size", NULL, NULL, "4096"},
    {"scan", "detect", "on|off", set_scan_detect, "on"},
    {"scan", "fast", NULL, NULL, "15"},
    {"scan", "slow", NULL, NULL, "30"},
    {"scan", "sweep", NULL, NULL, "15"},
    {"scan", "ignore", NULL, NULL, ""},
    {"scan", "block", NULL, NULL, "off"},
    {"scan", "block-proven", "yes|no", set_scan_block_proven, "yes"},
    {"mpp", "role", "server|client", set_mpp_role, "server"},
    {"mpp", "gate-max", "0|1|2|3|4", set_mpp_gate, "3"},
    {"mpp", "pruner", "auto|sock-diag", set_mpp_pruner, "auto"},
    {"datapath", "hook", "auto|tcx|clsact", set_hook, "auto"},
    {"datapath", "counters", "on|off", set_counters, "on"},
    {"datapath", "guard", "on|off", set_guard, "on"},
    {"datapath", "raw-egress", "", NULL, ""},
    {"datapath", "attach", "", NULL, ""},
    {"safety", "confirm", "", NULL, ""},
    {"safety", "auto-confirm", "", NULL, ""},
    {"safety", "confirm-from", "", NULL, ""},
    {"safety", "management", "", NULL, ""},
    {"safety", "failsafe-lock", "", NULL, ""},
    {"rpc", "ports", NULL, NULL, ""},
    {"rpc", "ports-internet-available", NULL, NULL, "yes"},
    {"rpc", "use-internet-ports", NULL, NULL, "yes"},
    {"rpc", "confine", NULL, NULL, ""},
    {"rpc", "loose", NULL, NULL, ""},
    {"rpc", "local", NULL, NULL, ""},
    {"rpc", "default", NULL, NULL, ""},
    {"rpc", "guard", NULL, NULL, "yes"},
    {"rpc", "reserve", NULL, NULL, "auto"},
    {"rpc", "bind", NULL, NULL, ""},
    {"rpc", "samba-config", NULL, NULL, "/etc/samba/smb.conf"},
};
_Static_assert(ARRAY_SIZE(keys) == CONFIG_KEYS, "an origin for each key");
_Static_assert(HOOK_AUTO == 0 && HOOK_TCX == 1 && HOOK_CLSACT == 2, "order of the words");
enum { N_KEYS = ARRAY_SIZE(keys) };

/* Sections of architecture.md 4 that belong to later versions. */
static const char later_sections[] = "boot|domain|compat|console";

static const char profiles_section[] = "profiles", rpc_section[] = "rpc";

static bool section_is_known(const char *name)
{
    if (strcmp(name, profiles_section) == 0)
        return true;
    for (size_t i = 0; i < N_KEYS; i++)
        if (strcmp(keys[i].section, name) == 0)
            return true;
    return false;
}

static int set_failsafe(const struct parser *p, const char *value)
{
    struct filter_settings fresh = p->c->filter;
    struct diag why = {0};
    fresh.n_failsafe = 0;
    if (*value) {
        int err = text_parse_failsafe(value, strlen(value), &why, &fresh);
        if (err == -ENOMEM)
            return err;
        if (err < 0) {
            err = refuse(p, why.code, "%s", why.message);
            diag_hint(p->d, "%s", why.hint[0] ? why.hint : "failsafe = tcp/22 from 192.0.2.0/24");
            return err;
        }
    }
    p->c->filter = fresh;
    return 0;
}

static int set_wins(const struct parser *p, const char *value)
{
    struct address_list none = {.n = 0};
    if (!*value) {
        p->c->wins = none;
        return 0;
    }
    if (keywords_parse_list(value, strlen(value), &p->c->wins) == 0)
        return 0;
    return bad_value(p, "wins", value, "192.0.2.10, 192.0.2.11");
}

/* Records of the log per second. */
static int set_log_rate(const struct parser *p, const char *name, const char *value)
{
    bool total = strcmp(name, "total-rate") == 0;
    uint32_t max = total ? LIMIT_LOG_TOTAL_RATE : LIMIT_LOG_RATE, n = 0;
    for (const char *c = value; *c >= '0' && *c <= '9' && n <= max; c++)
        n = n * 10 + (uint32_t)(*c - '0');
    if (!*value || value[strspn(value, "0123456789")] || n == 0 || n > max) {
        int err = refuse(p, DIAG_SYNTAX, "value '%.64s' does not fit '%s'", value, name);
        diag_hint(p->d, "%s = 1 to %u", name, max);
        return err;
    }
    *(total ? &p->c->filter.log_total_rate : &p->c->filter.log_rate) = n;
    return 0;
}

/* Number of a key of [rpc], in the order of keys[]; CONFIG_RPC_KEYS = none. */
static size_t rpc_index(const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < N_KEYS; i++) {
        if (strcmp(keys[i].section, rpc_section) != 0)
            continue;
        if (strcmp(keys[i].name, name) == 0)
            return n;
        n++;
    }
    return CONFIG_RPC_KEYS;
}

const char *agent_config_rpc(const struct agent_config *c, const char *key)
{
    size_t i = rpc_index(key);
    return i < CONFIG_RPC_KEYS && c->rpc_is_set[i] ? c->rpc[i] : NULL;
}

/* Whatever it says: a configuration that is wrong confines nobody to the wrong ports, and must not
 * keep the agent from starting. */
static int set_rpc(const struct parser *p, const char *name, const char *value)
{
    size_t i = rpc_index(name);
    if (i >= CONFIG_RPC_KEYS || strlen(value) >= CONFIG_RPC_BYTES)
        return refuse(p, DIAG_LIMIT, "the value of '%s' has more than %d bytes", name,
                      CONFIG_RPC_BYTES - 1);
    (void)snprintf(p->c->rpc[i], CONFIG_RPC_BYTES, "%s", value); /* fits */
    p->c->rpc_is_set[i] = true;
    return 0;
}

static int set_text(const struct parser *p, const struct key *k, const char *value)
{
    const char *name = k->name;
    if (strcmp(k->section, rpc_section) == 0)
        return set_rpc(p, name, value);
    if (strcmp(name, "wins") == 0)
        return set_wins(p, value);
    struct diag why = {0};
    int known = strcmp(k->section, "scan") == 0  ? config_scan(&p->c->scan, name, value, &why)
                : strcmp(k->section, "log") == 0 ? config_log(&p->c->log, name, value, &why)
                                                 : -ENOENT;
    if (known == -EINVAL)
        known = bad_value(p, name, value, why.hint);
    if (known != -ENOENT)
        return known;
    return strcmp(name, "failsafe") == 0 ? set_failsafe(p, value) : set_log_rate(p, name, value);
}

static void hint_keys(const struct parser *p, const char *section)
{
    char list[DIAG_HINT_BYTES] = "";
    size_t len = 0;
    for (size_t i = 0; i < N_KEYS && len < sizeof(list); i++)
        if (strcmp(keys[i].section, section) == 0 && (keys[i].set || !keys[i].words)) {
            int n = snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", keys[i].name);
            len += n > 0 ? (size_t)n : 0;
        }
    diag_hint(p->d, "keys of [%s]: %s", section, list);
}

/* The value of key number i, wherever it comes from. */
static int set_value(const struct parser *p, size_t i, const char *value)
{
    const struct key *k = &keys[i];
    if (k->words && !k->set) {
        int err = refuse(p, DIAG_NOT_ENFORCED, "key '%s' in [%s] is not supported by this version",
                         k->name, k->section);
        diag_hint(p->d, "remove the line '%s = ...'", k->name);
        return err;
    }
    if (!k->words)
        return set_text(p, k, value);
    int v = agent_config_word(value, k->words);
    if (v < 0)
        return bad_value(p, k->name, value, k->words);
    k->set(p->c, v);
    return 0;
}

static size_t find_key(const char *section, size_t len, const char *name)
{
    size_t i = 0;
    while (i < N_KEYS &&
           (strlen(keys[i].section) != len || memcmp(keys[i].section, section, len) != 0 ||
            strcmp(keys[i].name, name) != 0))
        i++;
    return i;
}

static void note_origin(const struct parser *p, size_t i, const char *value)
{
    struct config_origin *o = &p->c->origin[i];
    o->line = p->line;
    (void)snprintf(o->file, sizeof(o->file), "%s", p->file); /* cut */
    (void)snprintf(o->value, sizeof(o->value), "%s", value); /* cut */
}

/* [profiles]: IFNAME = domain|private|public. */
static int set_profile(const struct parser *p, const char *name, const char *value)
{
    static const char words[] = "domain|private|public";
    struct profile_patterns *l = &p->c->profiles;
    int word = agent_config_word(value, words);
    unsigned i = 0;
    if (strlen(name) >= sizeof(l->v[0].name) || name[strcspn(name, "[]\\/ \t")]) {
        int err = refuse(p, DIAG_SYNTAX, "'%.64s' is no name of an interface", name);
        diag_hint(p->d, "eth0 = private, or a pattern with * and ?: wg* = domain");
        return err;
    }
    if (word < 0)
        return bad_value(p, name, value, words);
    while (i < l->n && strcmp(l->v[i].name, name) != 0)
        i++;
    if (i == l->n && l->n == LIMIT_PROFILE_PATTERNS)
        return refuse(p, DIAG_LIMIT, "more than %d entries in [profiles]", LIMIT_PROFILE_PATTERNS);
    struct profile_origin *o = &p->c->profile_origin[i];
    if (i < l->n && strcmp(o->file, p->file) == 0) {
        int err = refuse(p, DIAG_DUPLICATE, "'%.64s' is given twice in [profiles]", name);
        diag_hint(p->d, "a later file may replace it, the same file may not");
        return err;
    }
    (void)snprintf(l->v[i].name, sizeof(l->v[i].name), "%s", name); /* fits */
    l->v[i].profile = (enum profile)(PROFILE_DOMAIN + word);
    l->n += i == l->n;
    (void)snprintf(o->file, sizeof(o->file), "%s", p->file); /* cut */
    o->line = p->line;
    return 0;
}

static int set_key(const struct parser *p, const char *section, const char *name, const char *value,
                   bool seen[N_KEYS])
{
    if (strcmp(section, profiles_section) == 0)
        return set_profile(p, name, value);
    size_t i = find_key(section, strlen(section), name);
    if (i == N_KEYS) {
        int err = refuse(p, DIAG_UNKNOWN_WORD, "unknown key '%.64s' in [%s]", name, section);
        hint_keys(p, section);
        return err;
    }
    if (seen[i]) {
        int err = refuse(p, DIAG_DUPLICATE, "key '%s' is given twice in [%s]", name, section);
        diag_hint(p->d, "a later file may replace it, the same file may not");
        return err;
    }
    int err = set_value(p, i, value);
    if (err < 0)
        return err;
    seen[i] = true;
    note_origin(p, i, value);
    return 0;
}

int agent_config_set(struct agent_config *c, const char *key, const char *value, struct diag *d)
{
    const struct parser p = {.c = c, .d = d};
    const char *dot = strchr(key, '.');
    size_t i = dot ? find_key(key, (size_t)(dot - key), dot + 1) : N_KEYS;
    if (i == N_KEYS)
        return diag_fail(d, DIAG_UNKNOWN_WORD, "unknown key '%.64s'", key);
    return set_value(&p, i, value);
}

static bool profile_value(const struct agent_config *c, size_t i, struct config_value *ret)
{
    if (i >= c->profiles.n)
        return false;
    const struct profile_pattern *p = &c->profiles.v[i];
    *ret = (struct config_value){.line = c->profile_origin[i].line, .supported = true};
    (void)snprintf(ret->key, sizeof(ret->key), "%s.%s", profiles_section, p->name); /* fits */
    (void)snprintf(ret->value, sizeof(ret->value), "%s", profile_name(p->profile));
    (void)snprintf(ret->file, sizeof(ret->file), "%s", c->profile_origin[i].file);
    return true;
}

bool agent_config_value(const struct agent_config *c, size_t i, struct config_value *ret)
{
    if (i >= N_KEYS)
        return profile_value(c, i - N_KEYS, ret);
    const struct key *k = &keys[i];
    const struct config_origin *o = &c->origin[i];
    *ret = (struct config_value){.line = o->line, .supported = k->set || !k->words};
    (void)snprintf(ret->key, sizeof(ret->key), "%s.%s", k->section, k->name); /* fits */
    (void)snprintf(ret->value, sizeof(ret->value), "%s", o->line ? o->value : k->fallback);
    (void)snprintf(ret->file, sizeof(ret->file), "%s", o->file);
    return true;
}

/* Removes blanks at both ends; the text is cut in place. */
static char *strip(char *s)
{
    s += strspn(s, " \t\r");
    size_t n = strlen(s);
    while (n > 0 && strchr(" \t\r", s[n - 1]))
        s[--n] = '\0';
    return s;
}

static int open_section(const struct parser *p, char *line, char section[32])
{
    size_t n = strlen(line);
    if (line[n - 1] != ']') {
        int err = refuse(p, DIAG_SYNTAX, "section '%.64s' does not end with ']'", line);
        diag_hint(p->d, "[filter]");
        return err;
    }
    line[n - 1] = '\0';
    const char *name = strip(line + 1);
    if (agent_config_word(name, later_sections) >= 0) {
        int err =
            refuse(p, DIAG_NOT_ENFORCED, "section [%s] is not supported by this version", name);
        diag_hint(p->d, "remove the section [%s]", name);
        return err;
    }
    if (!section_is_known(name)) {
        int err = refuse(p, DIAG_UNKNOWN_WORD, "unknown section [%.64s]", name);
        diag_hint(p->d,
                  "sections are [filter], [safety], [dynamic], [profiles], [log], [scan], [mpp], "
                  "[rpc] and [datapath]");
        return err;
    }
    (void)snprintf(section, 32, "%s", name); /* known names are shorter */
    return 0;
}

static int parse_line(const struct parser *p, char *line, char section[32], bool seen[N_KEYS])
{
    line = strip(line);
    if (!*line || *line == '#' || *line == ';')
        return 0;
    if (*line == '[')
        return open_section(p, line, section);
    char *equals = strchr(line, '=');
    if (!equals || equals == line) {
        int err = refuse(p, DIAG_SYNTAX, "'%.64s' is neither a section nor 'key = value'", line);
        diag_hint(p->d, "exempt = 3");
        return err;
    }
    *equals = '\0';
    const char *name = strip(line), *value = strip(equals + 1);
    if (!*section) {
        int err = refuse(p, DIAG_SYNTAX, "key '%.64s' stands before any section", name);
        diag_hint(p->d, "[filter]");
        return err;
    }
    return set_key(p, section, name, value, seen);
}

void agent_config_init(struct agent_config *c)
{
    *c = (struct agent_config){0};
    filter_settings_init(&c->filter);
    mpp_settings_init(&c->mpp);
    log_settings_init(&c->log);
    scan_settings_init(&c->scan);
    c->hook = HOOK_AUTO;
    c->guard = true;
}

int agent_config_parse(const char *file, const char *text, size_t len, struct agent_config *c,
                       struct diag *d)
{
    struct agent_config fresh = *c;
    struct parser p = {.file = file, .line = 1, .c = &fresh, .d = d};
    bool seen[N_KEYS] = {false};
    char section[32] = "";
    if (memchr(text, '\0', len))
        return refuse(&p, DIAG_SYNTAX, "the file contains a NUL byte");
    for (size_t at = 0; at < len; p.line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) : len - at;
        _cleanup_free_ char *line = strndup(text + at, n);
        if (!line)
            return -ENOMEM;
        int err = parse_line(&p, line, section, seen);
        if (err < 0)
            return err;
        at += n + (end ? 1 : 0);
    }
    *c = fresh;
    return 0;
}
