/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/reg_settings.c: single values of the registry that are settings here (windows.md 7, 8, 13,
 * 14): exemption level, mode at boot, protection of memory, ports of RPC.
 * Called by the importer and by compat reg through one table. Invariant: a value that is none of
 * its kind refuses the whole change (7), and what was set before stays. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"
#include "reg_internal.h"

#define SERVICES "SYSTEM\\CurrentControlSet\\Services\\"
#define RPC_KEY  "SOFTWARE\\Microsoft\\Rpc\\Internet"
enum { MPP_RANGES = 12 /* KB974288: further ones are ignored */ };

static int fail_value(struct reg_reader *r, const struct reg_row *row, const struct reg_value *v,
                      const char *why)
{
    int err = diag_fail(r->d, DIAG_COMBINATION, "%s'%s' in '%s': %s", reg_place_of(r, v->line).text,
                        row->name, row->key, why);
    diag_hint(r->d, "portward compat reg /?");
    return err;
}

/* --- exemption level --- */
static int read_exempt(struct reg_reader *r, const struct reg_row *row, const char *instance,
                       const struct reg_value *v)
{
    char level[2] = {0};
    (void)instance;
    if (!v)
        return catalog_setting_set(r->t->catalog, row->setting, NULL);
    if (v->number > 3)
        return fail_value(r, row, v, "levels are 0 to 3");
    level[0] = (char)('0' + v->number);
    int err = catalog_setting_set(r->t->catalog, row->setting, level);
    if (err < 0 || v->number == 1 || v->number == 3)
        return err;
    /* KB813878: a peer that sends from port 88 reaches every blocked port. */
    return tool_remark(r->t, NOTE_FORETOLD, r->d,
                       "at level %s Kerberos is exempt: a packet from source port 88 bypasses "
                       "every filter",
                       level);
}

static int show_number(struct reg_reader *r, const struct reg_row *row, const char *instance,
                       struct reg_key *out)
{
    _cleanup_free_ char *value = NULL;
    (void)instance;
    int err = catalog_setting_get(r->t->catalog, row->setting, r->d, &value);
    const char *s = value ? value : row->otherwise;
    if (err < 0 || !s || !isdigit((unsigned char)*s))
        return err;
    return reg_set_number(out, row->name, (uint32_t)strtoul(s, NULL, 10));
}

/* --- mode at boot --- */
static const struct {
    const char *word;
    uint32_t number;
} modes[] = {{"permit", 0}, {"block", 1}, {"stateful", 3}};

static int read_mode(struct reg_reader *r, const struct reg_row *row, const char *instance,
                     const struct reg_value *v)
{
    (void)instance;
    if (!v)
        return catalog_setting_set(r->t->catalog, row->setting, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (modes[i].number == v->number)
            return catalog_setting_set(r->t->catalog, row->setting, modes[i].word);
    return fail_value(r, row, v, "modes are 0 (permit), 1 (block) and 3 (stateful)");
}

static int show_mode(struct reg_reader *r, const struct reg_row *row, const char *instance,
                     struct reg_key *out)
{
    _cleanup_free_ char *value = NULL;
    (void)instance;
    int err = catalog_setting_get(r->t->catalog, row->setting, r->d, &value);
    const char *s = value ? value : row->otherwise;
    for (size_t i = 0; err == 0 && s && i < ARRAY_SIZE(modes); i++)
        if (strcmp(modes[i].word, s) == 0)
            return reg_set_number(out, row->name, modes[i].number);
    return err;
}

/* --- protection of memory --- */
static int check_switch(struct reg_reader *r, const struct reg_row *row, const struct reg_value *v)
{
    if (v->number <= 1)
        return 0;
    return tool_remark(r->t, NOTE_WARNING, r->d, "%s%s is %llu: read as 1",
                       reg_place_of(r, v->line).text, row->name, (unsigned long long)v->number);
}

static int read_mpp(struct reg_reader *r, const struct reg_row *row, const char *instance,
                    const struct reg_value *v)
{
    (void)instance;
    int err = v ? check_switch(r, row, v) : 0;
    if (err == 0)
        err = catalog_setting_set(r->t->catalog, row->setting,
                                  !v               ? NULL
                                  : v->number == 0 ? "no"
                                                   : "yes");
    if (err == 0) /* Windows 2003 has none */
        err = tool_remark(r->t, NOTE, r->d, "%s says nothing of Profiles: they stay as they are",
                          row->name);
    return err;
}

static int show_switch(struct reg_reader *r, const struct reg_row *row, const char *instance,
                       struct reg_key *out)
{
    _cleanup_free_ char *value = NULL;
    (void)instance;
    int err = catalog_setting_get(r->t->catalog, row->setting, r->d, &value);
    const char *s = value ? value : row->otherwise;
    return err < 0 || !s ? err : reg_set_number(out, row->name, strcmp(s, "yes") == 0);
}

/* Copies the words of a list but `name`; *ret_had: it was among them. */
static bool list_without(const char *list, const char *name, struct strbuf *out)
{
    size_t len = strlen(name);
    bool had = false;
    for (const char *s = list; s && *(s += strspn(s, " ")) != '\0';) {
        size_t n = strcspn(s, " ");
        if (n == len && memcmp(s, name, n) == 0)
            had = true;
        else
            (void)strbuf_addf(out, "%s%.*s", out->len > 0 ? " " : "", (int)n, s);
        s += n;
    }
    return had;
}

static int read_interface(struct reg_reader *r, const struct reg_row *row, const char *instance,
                          const struct reg_value *v)
{
    _cleanup_free_ char *list = NULL;
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *name = reg_interface(r, instance);
    if (!name)
        return reg_lost(r,
                        "%s%s%s: no interface is known for it, %s is not taken over; say "
                        "--map %s=eth0",
                        reg_place_of(r, v ? v->line : 0).text, row->key, instance, row->name,
                        instance);
    int err = v ? check_switch(r, row, v) : 0;
    if (err == 0)
        err = catalog_setting_get(r->t->catalog, row->setting, r->d, &list);
    if (err < 0)
        return err;
    (void)list_without(list, name, &out);
    if (v && v->number != 0)
        (void)strbuf_addf(&out, "%s%s", out.len > 0 ? " " : "", name); /* errors are sticky */
    err = out.error;
    if (err == 0)
        err = catalog_setting_set(r->t->catalog, row->setting, out.len > 0 ? out.s : NULL);
    return err;
}

static int show_interface(struct reg_reader *r, const struct reg_row *row, const char *instance,
                          struct reg_key *out)
{
    _cleanup_free_ char *list = NULL;
    _cleanup_(strbuf_done) struct strbuf rest = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *name = reg_interface(r, instance);
    int err = name ? catalog_setting_get(r->t->catalog, row->setting, r->d, &list) : 0;
    if (err < 0 || !name || !list_without(list, name, &rest))
        return err;
    return reg_set_number(out, row->name, 1);
}

/* "5000-5010"; single: also "5000". */
static bool read_range(const char *s, bool single, uint32_t *ret_first, uint32_t *ret_last)
{
    uint32_t v[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        size_t n = strspn(s, "0123456789");
        if (n == 0 || n > 5)
            return false;
        v[i] = (uint32_t)strtoul(s, NULL, 10);
        s += n;
        if (i == 0 && single && *s == '\0') {
            v[1] = v[0];
            break;
        }
        if (i == 0 && *s++ != '-')
            return false;
    }
    *ret_first = v[0];
    *ret_last = v[1];
    return *s == '\0' && v[0] <= v[1] && v[1] <= 65535;
}

/* The ranges as one text; which of them is none goes to *ret_wrong. */
static int print_ranges(const struct reg_value *v, size_t max, bool single, struct strbuf *out,
                        const char **ret_wrong)
{
    *ret_wrong = NULL;
    for (size_t i = 0; i < v->n_strings && !*ret_wrong; i++) {
        uint32_t first, last;
        if (!read_range(v->strings[i], single, &first, &last))
            *ret_wrong = v->strings[i];
        else if (i < max)
            (void)strbuf_addf(out, first == last && single ? "%s%u" : "%s%u-%u",
                              out->len > 0 ? ", " : "", first, last);
    }
    return out->error;
}

static int fail_range(struct reg_reader *r, const struct reg_row *row, const struct reg_value *v,
                      const char *wrong)
{
    int err = diag_fail(r->d, DIAG_SYNTAX, "%s'%s': '%.64s' is no range of ports",
                        reg_place_of(r, v->line).text, row->name, wrong);
    diag_hint(r->d, "for example 5000-5010; ports are 0 to 65535");
    return err;
}

/* The first 12 are what Windows enforced. */
static int warn_surplus(struct reg_reader *r, const struct reg_row *row, const struct reg_value *v)
{
    int err = 0;
    for (size_t i = MPP_RANGES; err == 0 && i < v->n_strings; i++)
        err = reg_lost(r,
                       "%s%s: range %s is ignored, %d ranges are the limit (--all-ranges takes "
                       "it)",
                       reg_place_of(r, v->line).text, row->name, v->strings[i], MPP_RANGES);
    return err;
}

static int read_ranges(struct reg_reader *r, const struct reg_row *row, const char *instance,
                       const struct reg_value *v)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *wrong = NULL;
    (void)instance;
    int err =
        v ? print_ranges(v, r->o->all_ranges ? SIZE_MAX : MPP_RANGES, false, &out, &wrong) : 0;
    if (err == 0 && wrong)
        err = fail_range(r, row, v, wrong);
    if (err == 0 && v && !r->o->all_ranges)
        err = warn_surplus(r, row, v);
    if (err == 0)
        err = catalog_setting_set(r->t->catalog, row->setting, out.len > 0 ? out.s : NULL);
    return err;
}

/* "A, B" as strings. */
static int show_list(struct reg_reader *r, const struct reg_row *row, const char *instance,
                     struct reg_key *out)
{
    _cleanup_free_ char *value = NULL;
    _cleanup_free_ const char **words = NULL;
    char *save = NULL;
    size_t n = 0, cap = 0;
    (void)instance;
    int err = catalog_setting_get(r->t->catalog, row->setting, r->d, &value);
    if (err < 0 || !value)
        return err;
    for (char *s = strtok_r(value, ", ", &save); s; s = strtok_r(NULL, ", ", &save)) {
        err = array_reserve(&words, &cap, n + 1, sizeof(*words));
        if (err < 0)
            return err;
        words[n++] = s;
    }
    return reg_set_strings(out, row->name, words, n);
}

/* --- ports of RPC --- */
static int read_ports(struct reg_reader *r, const struct reg_row *row, const char *instance,
                      const struct reg_value *v)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    const char *wrong = NULL;
    (void)instance;
    int err = v ? print_ranges(v, SIZE_MAX, true, &out, &wrong) : 0;
    if (err == 0 && v && (wrong || v->n_strings == 0))
        err = fail_range(r, row, v, wrong ? wrong : "");
    if (err == 0)
        err = catalog_setting_set(r->t->catalog, row->setting, v ? out.s : NULL);
    return err;
}

static int read_yes(struct reg_reader *r, const struct reg_row *row, const char *instance,
                    const struct reg_value *v)
{
    (void)instance;
    bool yes = v && v->text && strcasecmp(v->text, "Y") == 0;
    if (v && !yes && (!v->text || strcasecmp(v->text, "N") != 0))
        return fail_value(r, row, v, "Y or N");
    int err = catalog_setting_set(r->t->catalog, row->setting, !v ? NULL : yes ? "yes" : "no");
    return err;
}

static int show_yes(struct reg_reader *r, const struct reg_row *row, const char *instance,
                    struct reg_key *out)
{
    _cleanup_free_ char *value = NULL;
    (void)instance;
    int err = catalog_setting_get(r->t->catalog, row->setting, r->d, &value);
    if (err < 0 || !value)
        return err;
    return reg_set_text(out, row->name, REG_SZ, strcmp(value, "yes") == 0 ? "Y" : "N");
}

static int read_bind(struct reg_reader *r, const struct reg_row *row, const char *instance,
                     const struct reg_value *v)
{
    _cleanup_(strbuf_done) struct strbuf out = STRBUF_INIT(LIMIT_TEXT_STRING_BYTES);
    (void)instance;
    for (size_t i = 0; v && i < v->n_strings; i++) {
        const char *s = v->strings[i];
        if (s[strcspn(s, ", ")] != '\0' || s[0] == '\0')
            return fail_value(r, row, v, "a name has a blank or a comma, or is empty");
        (void)strbuf_addf(&out, "%s%s", out.len > 0 ? ", " : "", s); /* errors are sticky */
    }
    int err = out.error;
    if (err == 0)
        err = catalog_setting_set(r->t->catalog, row->setting, out.len > 0 ? out.s : NULL);
    return err;
}

static int read_nothing(struct reg_reader *r, const struct reg_row *row, const char *instance,
                        const struct reg_value *v)
{
    (void)instance;
    (void)v;
    return tool_remark(r->t, NOTE, r->d,
                       "%s has no counterpart here and is ignored: events carry their text",
                       row->name);
}

static int show_nothing(struct reg_reader *r, const struct reg_row *row, const char *instance,
                        struct reg_key *out)
{
    (void)r;
    (void)row;
    (void)instance;
    (void)out;
    return 0;
}

/* --- the table --- */
#define MPP_ROWS(service, prefix)                                                   \
    {SERVICES service "\\Parameters",                                               \
     "EnableMPP",                                                                   \
     REG_DWORD,                                                                     \
     prefix "enabled",                                                              \
     read_mpp,                                                                      \
     show_switch,                                                                   \
     NULL},                                                                         \
        {SERVICES service "\\Parameters",                                           \
         "MPPExcludedPorts",                                                        \
         REG_MULTI_SZ,                                                              \
         prefix "exempt",                                                           \
         read_ranges,                                                               \
         show_list,                                                                 \
         NULL},                                                                     \
    {                                                                               \
        SERVICES service "\\Parameters\\Interfaces\\", "DisableMPPOnIF", REG_DWORD, \
            prefix "interfaces-off", read_interface, show_interface, NULL           \
    }
#define EVENT_ROW(source)                                                                     \
    {                                                                                         \
        SERVICES "eventlog\\System\\" source, "EventMessageFile", REG_SZ, NULL, read_nothing, \
            show_nothing, NULL                                                                \
    }
const struct reg_row reg_rows[] = {
    {SERVICES "IPSEC", "NoDefaultExempt", REG_DWORD, "filter.exempt", read_exempt, show_number,
     "3"},
    {SERVICES "IPSEC", "OperationMode", REG_DWORD, "boot.mode", read_mode, show_mode, "stateful"},
    MPP_ROWS("Tcpip", "mpp.ipv4."),
    MPP_ROWS("Tcpip6", "mpp.ipv6."),
    {RPC_KEY, "Ports", REG_MULTI_SZ, "rpc.ports", read_ports, show_list, NULL},
    {RPC_KEY, "PortsInternetAvailable", REG_SZ, "rpc.ports-internet-available", read_yes, show_yes,
     NULL},
    {RPC_KEY, "UseInternetPorts", REG_SZ, "rpc.use-internet-ports", read_yes, show_yes, NULL},
    {SERVICES "Rpc\\Linkage", "Bind", REG_MULTI_SZ, "rpc.bind", read_bind, show_list, NULL},
    EVENT_ROW("tcpip"),
    EVENT_ROW("tcpip6"),
    EVENT_ROW("tcpipv6"),
};
const size_t reg_n_rows = ARRAY_SIZE(reg_rows);

bool reg_row_fits(const struct reg_row *row, const char *path, const char **ret_instance)
{
    size_t n = strlen(row->key);
    bool instance = row->key[n - 1] == '\\';
    if (strncasecmp(row->key, path, n) != 0)
        return false;
    *ret_instance = path + n;
    return instance ? path[n] != '\0' && !strchr(path + n, '\\') : path[n] == '\0';
}

/* windows.md 8: a set that lacks a value is invalid as a whole. */
static int check_rpc(struct reg_reader *r)
{
    const char *missing = NULL, *there = NULL;
    for (size_t i = 0; i < reg_n_rows; i++) {
        _cleanup_free_ char *value = NULL;
        if (strcmp(reg_rows[i].key, RPC_KEY) != 0)
            continue;
        int err = catalog_setting_get(r->t->catalog, reg_rows[i].setting, r->d, &value);
        if (err < 0)
            return err;
        *(value ? &there : &missing) = reg_rows[i].name;
    }
    if (!missing || !there)
        return 0;
    int err = diag_fail(r->d, DIAG_SYNTAX,
                        "'" RPC_KEY "' has %s and lacks %s: half a set is invalid, nothing is "
                        "changed",
                        there, missing);
    diag_hint(r->d, "import a file that has all three: portward import reg FILE");
    return err;
}

/* A key that is removed takes its values with it. */
static int read_row(struct reg_reader *r, const struct reg_row *row, const struct reg_key *k,
                    const char *instance)
{
    const struct reg_value *v = reg_value_find(k, row->name);
    if (!v && !k->removed && k->removed_line == 0)
        return 0;
    if (!v || v->removed)
        return row->read(r, row, instance, NULL);
    if (v->type != row->type && !(row->type == REG_SZ && v->type == REG_EXPAND_SZ))
        return fail_value(r, row, v,
                          row->type == REG_DWORD      ? "a REG_DWORD is wanted"
                          : row->type == REG_MULTI_SZ ? "a REG_MULTI_SZ is wanted"
                                                      : "a REG_SZ is wanted");
    return row->read(r, row, instance, v);
}

int reg_settings_read(struct reg_reader *r)
{
    bool rpc = false;
    int err = 0;
    for (size_t i = 0; err == 0 && i < r->tree->n; i++) {
        const struct reg_key *k = &r->tree->v[i];
        char path[REG_PATH_BYTES];
        const char *instance;
        if (!reg_path_below(k->path, path))
            continue;
        rpc = rpc || strcasecmp(path, RPC_KEY) == 0;
        for (size_t j = 0; err == 0 && j < reg_n_rows; j++)
            if (reg_row_fits(&reg_rows[j], path, &instance))
                err = read_row(r, &reg_rows[j], k, instance);
    }
    return err < 0 || !rpc ? err : check_rpc(r);
}
