/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/snapshot.c: writes and reads the dynamic layer as JSON.
 * Called by install.c before each flip and by internal_jobs.c at start. Filters stand in it as
 * canonical text: one grammar. Invariant: what cannot be read completely is refused as a whole,
 * since half a snapshot would open what the other half blocked. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/strbuf.h"
#include "files.h"
#include "journal.h"
#include "text/text.h"

enum { FORMAT = 1, FILTER_TEXT_BYTES_MAX = 256 * 1024 };

int snapshot_boot_id(char ret[BOOT_ID_BYTES])
{
    _cleanup_(close_p) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    char text[BOOT_ID_BYTES] = "";
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, BOOT_ID_BYTES - 1);
    if (n < 0)
        return -errno;
    if (n != BOOT_ID_BYTES - 1)
        return -EIO;
    memcpy(ret, text, BOOT_ID_BYTES);
    return 0;
}

int snapshot_entry_print(const struct dynamic_entry *e, json_t **ret)
{
    _cleanup_(strbuf_done) struct strbuf text = STRBUF_INIT(FILTER_TEXT_BYTES_MAX);
    char guid[GUID_TEXT_BYTES];
    guid_print(&e->filter.guid, guid);
    int err = text_print_filter(&e->filter, &text);
    if (err < 0)
        return err;
    json_t *j =
        json_pack("{s:I, s:s, s:s, s:I, s:s*}", "id", (json_int_t)e->filter.handle, "guid", guid,
                  "text", text.s, "deadline_ns", (json_int_t)e->deadline_ns, "reason", e->reason);
    if (!j)
        return -ENOMEM;
    *ret = j;
    return 0;
}

/* Of what is in `shared`, too, only the number: a layer of a hundred thousand is not there twice.
 */
static int entries_to_json(const struct dynamic *l, const struct dynamic *shared, json_t **ret)
{
    _cleanup_(json_decrefp) json_t *filters = json_array();
    if (!filters)
        return -ENOMEM;
    for (size_t i = 0; i < l->n; i++) {
        const struct dynamic_entry *e = l->v[i];
        size_t k = shared ? dynamic_find_id(shared, e->filter.handle) : SIZE_MAX;
        json_t *j = NULL;
        int err = 0;
        if (k != SIZE_MAX && shared->v[k] == e)
            j = json_integer(e->filter.handle);
        else
            err = snapshot_entry_print(e, &j);
        if (err < 0)
            return err;
        if (json_array_append_new(filters, j) < 0) /* also without memory for j */
            return -ENOMEM;
    }
    *ret = TAKE_PTR(filters);
    return 0;
}

int snapshot_print(const struct dynamic *l, const struct snapshot_origin *o, char **ret_text)
{
    _cleanup_(json_decrefp) json_t *filters = NULL;
    _cleanup_(json_decrefp) json_t *before = NULL;
    int err = entries_to_json(l, NULL, &filters);
    if (err == 0 && o->before)
        err = entries_to_json(o->before, l, &before);
    if (err < 0)
        return err;
    _cleanup_(json_decrefp) json_t *root = json_pack(
        "{s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:O, s:O*}", "format", FORMAT, "boot_id", o->boot_id,
        "netns_cookie", (json_int_t)o->netns_cookie, "serial", (json_int_t)o->serial, "generation",
        (json_int_t)o->generation, "next_id", (json_int_t)l->next_id, "n_filters", (json_int_t)l->n,
        "filters", filters, "before", before);
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (!text)
        return -ENOMEM;
    *ret_text = text;
    return 0;
}

static int corrupt(struct diag *d, const char *why)
{
    int err = diag_fail(d, DIAG_CORRUPT, "snapshot of the dynamic layer is damaged: %s", why);
    diag_hint(d, "portwardd --forget-dynamic");
    return err;
}

int snapshot_entry_parse(json_t *j, struct dynamic *l, struct diag *d)
{
    json_int_t id, deadline;
    const char *guid_text, *text, *reason = NULL;
    struct filter f;
    struct guid guid;
    size_t index;
    if (json_unpack(j, "{s:I, s:s, s:s, s:I, s?s}", "id", &id, "guid", &guid_text, "text", &text,
                    "deadline_ns", &deadline, "reason", &reason) < 0)
        return corrupt(d, "a filter lacks a member");
    if (id <= 0 || id >= (json_int_t)l->next_id || deadline < 0 || guid_parse(guid_text, &guid) < 0)
        return corrupt(d, "a filter has an impossible id, deadline or guid");
    if (l->n > 0 && id <= (json_int_t)l->v[l->n - 1]->filter.handle)
        return corrupt(d, "ids do not grow");
    filter_init(&f);
    int err = text_parse_filter(text, strlen(text), NULL, &f);
    if (err == -ENOMEM)
        return err;
    if (err < 0)
        return corrupt(d, "a filter cannot be read");
    struct dynamic_new o = {.filter = &f,
                            .guid = guid,
                            .id = (uint32_t)id,
                            .deadline_ns = (uint64_t)deadline,
                            .reason = reason};
    err = dynamic_add(l, &o, d, &index);
    filter_done(&f);
    return err;
}

static int entries_from_json(json_t *filters, struct dynamic *l, struct diag *d)
{
    size_t i;
    json_t *j;
    json_array_foreach(filters, i, j)
    {
        int err = snapshot_entry_parse(j, l, d);
        if (err < 0)
            return err;
    }
    return 0;
}

/* What a snapshot says of itself. */
struct head {
    bool ours; /* of this boot and namespace */
    uint64_t generation, serial;
};

static int parse(const char *text, size_t len, const struct snapshot_origin *o, struct diag *d,
                 struct dynamic *ret, struct head *ret_head)
{
    _cleanup_(json_decrefp) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    _cleanup_(dynamic_done) struct dynamic l = {0};
    int format;
    const char *boot_id;
    json_int_t cookie, next_id, n_filters;
    json_int_t serial = 0, generation = INT64_MAX; /* earlier builds did not write them */
    json_t *filters;
    if (!root)
        return corrupt(d, "not JSON");
    if (json_unpack(root, "{s:i, s:s, s:I, s?I, s?I, s:I, s:I, s:o}", "format", &format, "boot_id",
                    &boot_id, "netns_cookie", &cookie, "generation", &generation, "serial", &serial,
                    "next_id", &next_id, "n_filters", &n_filters, "filters", &filters) < 0)
        return corrupt(d, "a member is missing");
    if (format != FORMAT)
        return corrupt(d, "unknown format");
    if (next_id < 0 || next_id >= UINT32_MAX || !json_is_array(filters) ||
        (size_t)n_filters != json_array_size(filters))
        return corrupt(d, "the number of filters is not what it says");
    bool same_boot = strcmp(boot_id, o->boot_id) == 0;
    bool ours = same_boot && (uint64_t)cookie == o->netns_cookie;
    l.next_id = same_boot ? (uint32_t)next_id : 0;
    int err = ours ? entries_from_json(filters, &l, d) : 0;
    if (err < 0)
        return err;
    *ret = l;
    *ret_head = (struct head){ours, (uint64_t)generation, (uint64_t)serial};
    l = (struct dynamic){0};
    return 0;
}

int snapshot_parse(const char *text, size_t len, const struct snapshot_origin *o, struct diag *d,
                   struct dynamic *ret)
{
    struct head head;
    return parse(text, len, o, d, ret, &head);
}

int snapshot_write(const char *dir, const struct dynamic *l, const struct snapshot_origin *o,
                   struct diag *d)
{
    _cleanup_free_ char *text = NULL;
    int err = snapshot_print(l, o, &text);
    if (err < 0)
        return err;
    /* Worthless after a reboot, but a torn one would refuse the start. */
    err = file_replace_whole(dir, SNAPSHOT_NAME, text, strlen(text));
    return err < 0 ? file_replace_failed(dir, SNAPSHOT_NAME, err, d) : 0;
}

/* The file that names the blocks in force is not here. */
static int not_here(const char *path, const char *why, struct diag *d)
{
    int err = diag_fail(d, DIAG_CORRUPT, "filters are in force, but '%s' with the dynamic ones %s",
                        path, why);
    diag_hint(d, "portwardd --runtime-dir with the directory of the agent before, or "
                 "--forget-dynamic");
    return err;
}

/* Why it does not tell what is in force, NULL if it does. */
static const char *why_strange(const struct head *h, const struct snapshot_origin *o)
{
    if (!h->ours)
        return "belongs to another boot or another namespace";
    return h->generation < o->generation ? "is older than these" : NULL;
}

static int continue_with_journal(const char *dir, const struct snapshot_origin *o, struct diag *d,
                                 struct dynamic *l, struct head *head)
{
    struct snapshot_origin continued = *o;
    _cleanup_(json_decrefp) json_t *lines = NULL;
    continued.serial = head->serial;
    int err = journal_read(dir, &continued, &lines);
    if (err == -EBADMSG)
        return corrupt(d, "'" JOURNAL_NAME "' is damaged");
    if (err < 0)
        return diag_errno(d, err, "cannot read '%s/" JOURNAL_NAME "'", dir);
    err = journal_apply(lines, d, l, &head->generation);
    return err < 0 ? err : json_array_size(lines) > 0;
}

int snapshot_read(const char *dir, const struct snapshot_origin *o, bool must_exist, struct diag *d,
                  struct dynamic *ret)
{
    _cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(4096);
    _cleanup_free_ char *text = NULL;
    size_t len;
    int err = strbuf_addf(&path, "%s/%s", dir, SNAPSHOT_NAME);
    if (err < 0)
        return err;
    err = file_read(path.s, SNAPSHOT_BYTES_MAX, &text, &len);
    if (err == -ENOENT && !must_exist) {
        *ret = (struct dynamic){0};
        return 0;
    }
    if (err == -ENOENT)
        return not_here(path.s, "is missing", d);
    if (err < 0)
        return diag_errno(d, err, "cannot read '%s'", path.s);
    _cleanup_(dynamic_done) struct dynamic l = {0};
    struct head head = {.ours = false};
    err = parse(text, len, o, d, &l, &head);
    if (err == 0 && head.ours)
        err = continue_with_journal(dir, o, d, &l, &head);
    if (err < 0 && d->code == DIAG_CORRUPT) {
        struct diag why = *d;
        err = diag_fail(d, why.code, "'%s': %s", path.s, why.message);
        diag_hint(d, "%s", why.hint);
    }
    if (err < 0)
        return err;
    const char *strange = why_strange(&head, o);
    if (strange && must_exist)
        return not_here(path.s, strange, d);
    *ret = l;
    l = (struct dynamic){0};
    return err;
}

/* An entry that is in `now` as it was. */
static int take_shared(const struct dynamic *now, json_int_t id, struct dynamic *l, struct diag *d)
{
    size_t at, i = id > 0 && id < UINT32_MAX ? dynamic_find_id(now, (uint32_t)id) : SIZE_MAX;
    if (i == SIZE_MAX || (l->n > 0 && id <= (json_int_t)l->v[l->n - 1]->filter.handle))
        return corrupt(d, "a filter of before is not there, or ids do not grow");
    const struct dynamic_entry *e = now->v[i];
    struct filter f;
    filter_init(&f);
    int err = filter_copy(&e->filter, &f);
    const struct dynamic_new o = {.filter = &f, /* is taken over */
                                  .guid = e->filter.guid,
                                  .id = e->filter.handle,
                                  .deadline_ns = e->deadline_ns,
                                  .reason = e->reason};
    if (err == 0)
        err = dynamic_add(l, &o, d, &at);
    filter_done(&f);
    return err;
}

static int parse_before(json_t *root, const struct dynamic *now, struct diag *d,
                        struct dynamic *ret, uint64_t *ret_generation)
{
    _cleanup_(dynamic_done) struct dynamic l = {0};
    json_t *before = json_object_get(root, "before"), *j;
    json_int_t generation, next_id;
    size_t i;
    int err = 0;
    if (!before)
        return 0;
    if (json_unpack(root, "{s:I, s:I}", "generation", &generation, "next_id", &next_id) < 0 ||
        generation <= 0 || !json_is_array(before))
        return corrupt(d, "what was before is not as it should be");
    l.next_id = (uint32_t)next_id; /* snapshot_read() knows it */
    for (i = 0; err == 0 && i < json_array_size(before); i++) {
        j = json_array_get(before, i);
        err = json_is_integer(j) ? take_shared(now, json_integer_value(j), &l, d)
                                 : snapshot_entry_parse(j, &l, d);
    }
    if (err < 0)
        return err;
    *ret = l;
    *ret_generation = (uint64_t)generation;
    l = (struct dynamic){0};
    return 1;
}

int snapshot_read_before(const char *dir, const struct snapshot_origin *o,
                         const struct dynamic *now, struct diag *d, struct dynamic *ret,
                         uint64_t *ret_generation)
{
    _cleanup_(strbuf_done) struct strbuf path = STRBUF_INIT(4096);
    _cleanup_free_ char *text = NULL;
    const char *boot_id = "";
    json_int_t cookie = 0;
    size_t len;
    int err = strbuf_addf(&path, "%s/%s", dir, SNAPSHOT_NAME);
    if (err == 0)
        err = file_read(path.s, SNAPSHOT_BYTES_MAX, &text, &len);
    if (err == -ENOENT)
        return 0;
    if (err < 0)
        return diag_errno(d, err, "cannot read '%s'", path.s);
    _cleanup_(json_decrefp) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!root || json_unpack(root, "{s:s, s:I}", "boot_id", &boot_id, "netns_cookie", &cookie) < 0)
        return corrupt(d, "not JSON, or a member is missing");
    bool ours = strcmp(boot_id, o->boot_id) == 0 && (uint64_t)cookie == o->netns_cookie;
    return ours ? parse_before(root, now, d, ret, ret_generation) : 0;
}
