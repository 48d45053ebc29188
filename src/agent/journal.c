/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/journal.c: see journal.h.
 * Called by quick.c (append), install.c (end), snapshot.c and runstate.c (read). Invariant: the
 * file never holds the begin of a line with another line behind it: what could not be written whole
 * is cut off again, or the file is not used any more. */
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "files.h"

enum { FORMAT = 1 };

/* --- writing --- */
static int path_of(const char *dir, char *path, size_t size)
{
    return snprintf(path, size, "%s/" JOURNAL_NAME, dir) < (int)size ? 0 : -ENAMETOOLONG;
}

static void give_up(struct journal *j)
{
    close_p(&j->fd);
    j->limit = 0;
}

/* All or nothing. */
static int write_lines(struct journal *j, const char *text, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(j->fd, text + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int err = -errno;
            if (done > 0 && ftruncate(j->fd, (off_t)j->size) < 0)
                give_up(j);
            return err;
        }
        done += (size_t)n;
    }
    j->size += len;
    return 0;
}

static int write_json(struct journal *j, const json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text)
        return -ENOMEM;
    size_t len = strlen(text);
    text[len] = '\n'; /* in the place of the NUL */
    int err = write_lines(j, text, len + 1);
    free(text);
    return err;
}

static int begin(struct journal *j, const char *dir, const struct snapshot_origin *o)
{
    char path[4096];
    int err = path_of(dir, path, sizeof(path));
    if (err < 0)
        return err;
    if (unlink(path) < 0 && errno != ENOENT)
        return -errno;
    j->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (j->fd < 0)
        return -errno;
    j->size = 0;
    _cleanup_(json_decrefp) json_t *head =
        json_pack("{s:i, s:s, s:I, s:I}", "journal", FORMAT, "boot_id", o->boot_id, "netns_cookie",
                  (json_int_t)o->netns_cookie, "serial", (json_int_t)o->serial);
    err = head ? write_json(j, head) : -ENOMEM;
    if (err < 0)
        close_p(&j->fd);
    return err;
}

static int add_deleted(json_t *line, const struct journal_change *c)
{
    json_t *ids = json_array(), *counters = json_array();
    int failed = 0;
    for (unsigned i = 0; i < c->delta->n_deleted; i++) {
        uint32_t id = c->before->v[c->delta->deleted[i]]->filter.handle;
        failed |= json_array_append_new(ids, json_integer(id));
        failed |= json_array_append_new(counters, json_integer(c->deleted_counter[i]));
    }
    failed |= json_object_set_new(line, "deleted", ids); /* also without memory for it */
    failed |= json_object_set_new(line, "retired", counters);
    return failed ? -ENOMEM : 0;
}

static int add_entries(json_t *line, const struct journal_change *c)
{
    json_t *set = json_array(), *e = NULL;
    int err = set ? 0 : -ENOMEM;
    for (unsigned i = 0; i < c->delta->n_replaced && err == 0; i++) {
        err = snapshot_entry_print(c->after->v[c->delta->replaced[i].after], &e);
        if (err == 0 && json_array_append_new(set, e) < 0)
            err = -ENOMEM;
    }
    if (err == 0 && c->delta->n_added > 0) {
        err = snapshot_entry_print(c->after->v[c->delta->added], &e);
        if (err == 0 && json_array_append_new(set, e) < 0)
            err = -ENOMEM;
    }
    if (json_object_set_new(line, "set", set) < 0)
        err = err < 0 ? err : -ENOMEM;
    return err;
}

int journal_append(struct journal *j, const char *dir, const struct snapshot_origin *o,
                   const struct journal_change *c)
{
    if (j->size >= j->limit)
        return -EFBIG;
    bool added = c->delta->n_added > 0;
    _cleanup_(json_decrefp) json_t *line = json_pack(
        "{s:I, s:[I, I], s:I, s:I}", "generation", (json_int_t)c->run.generation, "digest",
        (json_int_t)c->run.digest[0], (json_int_t)c->run.digest[1], "next_id",
        (json_int_t)c->after->next_id, "counter", added ? (json_int_t)c->added_counter : -1);
    int err = line ? add_deleted(line, c) : -ENOMEM;
    if (err == 0)
        err = add_entries(line, c);
    if (err == 0 && j->fd < 0)
        err = begin(j, dir, o);
    return err < 0 ? err : write_json(j, line);
}

void journal_end(struct journal *j, const char *dir, uint64_t limit)
{
    char path[4096];
    close_p(&j->fd);
    if (path_of(dir, path, sizeof(path)) == 0)
        (void)unlink(path); /* if it stays, its serial says that it is old */
    *j = (struct journal){.fd = -1, .limit = limit};
}

/* --- reading --- */
static bool continues(const json_t *head, const struct snapshot_origin *o)
{
    const char *boot_id;
    json_int_t cookie, serial;
    int format;
    /* json_unpack() wants json_t without const and changes nothing. */
    return json_unpack((json_t *)(uintptr_t)head, "{s:i, s:s, s:I, s:I}", "journal", &format,
                       "boot_id", &boot_id, "netns_cookie", &cookie, "serial", &serial) == 0 &&
           format == FORMAT && strcmp(boot_id, o->boot_id) == 0 &&
           (uint64_t)cookie == o->netns_cookie && (uint64_t)serial == o->serial;
}

/* A torn last line is none. */
static int read_lines(char *text, size_t len, const struct snapshot_origin *o, json_t *lines)
{
    bool first = true;
    char *at = text, *end;
    while ((end = memchr(at, '\n', len - (size_t)(at - text)))) {
        json_t *line = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);
        bool other = first && !continues(line, o);
        if (!line || other) {
            json_decref(line);
            return other && line ? 0 : -EBADMSG;
        }
        if (first)
            json_decref(line);
        else if (json_array_append_new(lines, line) < 0)
            return -ENOMEM;
        first = false;
        at = end + 1;
    }
    return 0;
}

int journal_read(const char *dir, const struct snapshot_origin *o, json_t **ret)
{
    char path[4096];
    _cleanup_free_ char *text = NULL;
    _cleanup_(json_decrefp) json_t *lines = json_array();
    size_t len = 0;
    int err = lines ? path_of(dir, path, sizeof(path)) : -ENOMEM;
    if (err == 0)
        err = file_read(path, SNAPSHOT_BYTES_MAX, &text, &len);
    if (err == 0)
        err = read_lines(text, len, o, lines);
    if (err < 0 && err != -ENOENT)
        return err;
    *ret = TAKE_PTR(lines);
    return 0;
}

static int damaged(struct diag *d, const char *why)
{
    int err = diag_fail(d, DIAG_CORRUPT, "journal of the dynamic layer is damaged: %s", why);
    diag_hint(d, "portwardd --forget-dynamic");
    return err;
}

static int apply_deleted(const json_t *ids, struct diag *d, struct dynamic *l)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        size_t at = id > 0 && id < UINT32_MAX ? dynamic_find_id(l, (uint32_t)id) : SIZE_MAX;
        if (at == SIZE_MAX)
            return damaged(d, "a filter that it deletes is not there");
        dynamic_remove(l, at);
    }
    return 0;
}

static int apply_set(const json_t *entries, struct diag *d, struct dynamic *l)
{
    int err = 0;
    for (size_t i = 0; i < json_array_size(entries) && err == 0; i++) {
        _cleanup_(dynamic_done) struct dynamic one = {.next_id = l->next_id};
        err = snapshot_entry_parse(json_array_get(entries, i), &one, d);
        if (err == 0)
            err = dynamic_put(l, one.v[0]);
        if (err == -EINVAL)
            err = damaged(d, "ids do not grow");
    }
    return err;
}

int journal_apply(const json_t *lines, struct diag *d, struct dynamic *l, uint64_t *generation)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        json_t *deleted, *set;
        json_int_t number, next_id;
        if (json_unpack(json_array_get(lines, i), "{s:I, s:I, s:o, s:o}", "generation", &number,
                        "next_id", &next_id, "deleted", &deleted, "set", &set) < 0 ||
            number <= 0 || next_id < (json_int_t)l->next_id || next_id >= UINT32_MAX)
            return damaged(d, "a line lacks a member");
        l->next_id = (uint32_t)next_id;
        int err = apply_deleted(deleted, d, l);
        if (err == 0)
            err = apply_set(set, d, l);
        if (err < 0)
            return err;
        *generation = (uint64_t)number;
    }
    return 0;
}

/* An id was given once more when its owner was gone: counters.bin is written before the flip that
 * takes owners away. */
static int adopt(json_t *entry, json_int_t id, struct counter_ids *ids)
{
    const char *text;
    struct guid guid;
    if (json_unpack(entry, "{s:s}", "guid", &text) < 0 || guid_parse(text, &guid) < 0 ||
        id >= UINT32_MAX)
        return -EIO;
    const struct guid *before = counter_ids_owner(ids, (uint32_t)id);
    struct guid gone = before ? *before : guid; /* it goes with the entry */
    if (before)
        counter_ids_retire(ids, &gone);
    return counter_ids_adopt(ids, &guid, (uint32_t)id);
}

static int retire(const json_t *counters, struct counter_ids *ids)
{
    for (size_t i = 0; i < json_array_size(counters); i++) {
        json_int_t id = json_integer_value(json_array_get(counters, i));
        const struct guid *g =
            id >= 0 && id < UINT32_MAX ? counter_ids_owner(ids, (uint32_t)id) : NULL;
        if (!g)
            return -EIO;
        struct guid owner = *g; /* it goes with the entry */
        counter_ids_retire(ids, &owner);
    }
    return 0;
}

int journal_apply_counters(const json_t *lines, struct counter_ids *ids, struct runstate *run)
{
    for (size_t i = 0; i < json_array_size(lines); i++) {
        json_t *set, *retired;
        json_int_t number, digest[2], counter;
        if (json_unpack(json_array_get(lines, i), "{s:I, s:[I, I], s:I, s:o, s:o}", "generation",
                        &number, "digest", &digest[0], &digest[1], "counter", &counter, "set", &set,
                        "retired", &retired) < 0)
            return -EIO;
        int err = retire(retired, ids);
        if (err == 0 && counter >= 0) /* of the last one that is set */
            err = adopt(json_array_get(set, json_array_size(set) - 1), counter, ids);
        if (err < 0)
            return err == -ENOMEM ? err : -EIO;
        *run = (struct runstate){.generation = (uint64_t)number,
                                 .digest = {(uint64_t)digest[0], (uint64_t)digest[1]}};
    }
    return 0;
}
