/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agent/runstate.c: the file that carries counter ids from one agent to the next.
 * Called by install.c (write) and internal_jobs.c (read). The file is binary, since 200,000
 * ids are written before each flip: a header, then one record per id, a SipHash print over all
 * of it against damage (not against malice: the directory belongs to root). */
#include "runstate.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "journal.h"

struct header {
    char magic[8];
    char boot_id[40];
    uint64_t netns_cookie;
    uint64_t generation;
    uint64_t digest[2];
    uint64_t serial; /* of the write: what a journal continues */
    uint64_t n_records;
    uint64_t print; /* over the file with this field zero */
};
struct record {
    struct guid guid;
    uint32_t id;
};
_Static_assert(sizeof(struct header) == 104, "no padding in the file");
_Static_assert(sizeof(struct record) == 20, "no padding in the file");
static const char magic[8] = "PWRUN2\n";
static const struct hash_seed print_seed = {0x706f727477617264ULL, 0x72756e7374617465ULL};

int runstate_write(const char *dir, const struct runstate *s, const struct counter_ids *ids,
                   const struct snapshot_origin *o, struct diag *d)
{
    uint32_t limit = counter_ids_limit(ids);
    size_t room = sizeof(struct header) + (size_t)limit * sizeof(struct record);
    _cleanup_free_ char *data = calloc(1, room);
    if (!data)
        return -ENOMEM;
    struct header h = {.netns_cookie = o->netns_cookie,
                       .serial = o->serial,
                       .generation = s->generation,
                       .digest = {s->digest[0], s->digest[1]}};
    memcpy(h.magic, magic, sizeof(h.magic));
    memcpy(h.boot_id, o->boot_id, sizeof(o->boot_id));
    size_t len = sizeof(h);
    for (uint32_t i = 0; i < limit; i++) {
        const struct guid *g = counter_ids_owner(ids, i);
        if (!g)
            continue;
        struct record r = {.guid = *g, .id = i};
        memcpy(data + len, &r, sizeof(r));
        len += sizeof(r);
        h.n_records++;
    }
    memcpy(data, &h, sizeof(h));
    h.print = siphash24(data, len, print_seed);
    memcpy(data, &h, sizeof(h));
    /* Worthless after a reboot; damaged, it costs the counters, not a verdict. */
    int err = file_replace_volatile(dir, RUNSTATE_NAME, data, len);
    return err < 0 ? file_replace_failed(dir, RUNSTATE_NAME, err, d) : 0;
}

void runstate_remove(const char *dir)
{
    char path[4096];
    if (snprintf(path, sizeof(path), "%s/%s", dir, RUNSTATE_NAME) < (int)sizeof(path))
        (void)unlink(path); /* if it stays, the caller's next write fails */
}

static bool header_is_valid(char *data, size_t len, struct header *ret)
{
    struct header h;
    if (len < sizeof(h))
        return false;
    memcpy(&h, data, sizeof(h));
    uint64_t print = h.print;
    h.print = 0;
    memcpy(data, &h, sizeof(h));
    *ret = h;
    return memcmp(h.magic, magic, sizeof(magic)) == 0 &&
           siphash24(data, len, print_seed) == print &&
           h.n_records == (len - sizeof(h)) / sizeof(struct record);
}

static int continue_with_journal(const char *dir, const struct snapshot_origin *o, uint64_t serial,
                                 struct runstate *s, struct counter_ids *ids)
{
    struct snapshot_origin continued = *o;
    _cleanup_(json_decrefp) json_t *lines = NULL;
    continued.serial = serial;
    int err = journal_read(dir, &continued, &lines);
    if (err == -EBADMSG)
        return -EIO;
    return err < 0 ? err : journal_apply_counters(lines, ids, s);
}

int runstate_read(const char *dir, const struct snapshot_origin *o, struct runstate *ret,
                  struct counter_ids *ids)
{
    char path[4096];
    _cleanup_free_ char *data = NULL;
    struct header h;
    size_t len;
    if (snprintf(path, sizeof(path), "%s/%s", dir, RUNSTATE_NAME) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    int err = file_read(path, SNAPSHOT_BYTES_MAX, &data, &len);
    if (err < 0)
        return err;
    if (!header_is_valid(data, len, &h))
        return -EIO;
    if (strncmp(h.boot_id, o->boot_id, sizeof(h.boot_id)) != 0 || h.netns_cookie != o->netns_cookie)
        return -ENOENT;
    for (uint64_t i = 0; i < h.n_records; i++) {
        struct record r;
        memcpy(&r, data + sizeof(h) + i * sizeof(r), sizeof(r));
        err = counter_ids_adopt(ids, &r.guid, r.id);
        if (err < 0)
            return err == -ENOMEM ? err : -EIO;
    }
    *ret = (struct runstate){.generation = h.generation, .digest = {h.digest[0], h.digest[1]}};
    return continue_with_journal(dir, o, h.serial, ret, ids);
}
