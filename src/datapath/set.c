/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where programs and maps come from at start, and how their pins change hands, see set.h. Called
 * by datapath.c only. */
#include "set.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include "images.h"
#include "netns.h"

enum { META_MAGIC = 0x50574d31 /* "PWM1" */ };
struct meta {
    uint32_t magic;
    uint32_t layout; /* IMG_LAYOUT of all maps */
    uint32_t tag_secret;
    uint32_t netns; /* inode of the network namespace, 0 = not known */
};
static const char meta_name[] = "meta";

static int read_meta(const struct pins *pins, int *ret_fd, struct meta *ret)
{
    uint32_t key = 0;
    struct meta m;
    _cleanup_(close_p) int fd = pins_get(pins, "map", meta_name);

    if (fd < 0)
        return fd;
    int r = bpf_map_lookup_elem(fd, &key, &m);
    if (r < 0)
        return r;
    if (m.magic != META_MAGIC)
        return -EBADMSG;
    *ret_fd = TAKE_FD(fd);
    *ret = m;
    return 0;
}

uint32_t set_netns(const struct pins *pins)
{
    struct meta m;
    _cleanup_(close_p) int fd = -1;

    return read_meta(pins, &fd, &m) < 0 ? 0 : m.netns;
}

static int make_meta(uint16_t tag_secret)
{
    struct meta m = {.magic = META_MAGIC,
                     .layout = IMG_LAYOUT,
                     .tag_secret = tag_secret,
                     .netns = netns_inode()};
    uint32_t key = 0;
    _cleanup_(close_p) int fd =
        bpf_map_create(BPF_MAP_TYPE_ARRAY, "pw_meta", sizeof(key), sizeof(m), 1, NULL);

    if (fd < 0)
        return fd;
    int r = bpf_map_update_elem(fd, &key, &m, BPF_ANY);
    return r < 0 ? r : TAKE_FD(fd);
}

/* All pinned maps, if they fit and an image of this layout is active. */
static int adopt_maps(const struct pins *pins, struct progs *p)
{
    struct img_header h;

    for (unsigned m = 0; m < _MAP_MAX; m++) {
        p->map[m] = pins_get(pins, "map", progs_map_name(m));
        if (p->map[m] < 0)
            return p->map[m];
        if (!progs_map_fits(p->map[m], m))
            return -EBADMSG;
    }
    _cleanup_(close_p) int fd = image_map_at(p->map[MAP_ROOTS], PW_ROOT_ACTIVE);
    return fd < 0 ? fd : image_map_header(fd, &h);
}

/* Programs that are in force although their maps cannot be adopted. */
static void find_old_programs(const struct pins *pins, struct set *s)
{
    static const char *const direction[2] = {[PROG_IN] = "in", [PROG_OUT] = "out"};

    for (unsigned i = PROG_IN; i <= PROG_OUT; i++) {
        s->old_prog[i] = pins_get(pins, "prog", progs_prog_name(i));
        if (s->old_prog[i] < 0)
            s->old_prog[i] = pins_link_program(pins, direction[i]);
    }
    s->origin = s->old_prog[PROG_IN] >= 0 && s->old_prog[PROG_OUT] >= 0 ? SET_BESIDE : SET_NEW;
}

static int draw_secret(uint16_t *ret)
{
    uint16_t v;

    /* 0 would be the tag of packets that nobody tagged. */
    do {
        if (getrandom(&v, sizeof(v), 0) != sizeof(v))
            return -errno;
        v &= IMG_TAG_SECRET_MASK;
    } while (v == 0 || v == IMG_TAG_SECRET_MASK);
    *ret = v;
    return 0;
}

static int fill_new(struct set *s)
{
    uint32_t slot = PW_ROOT_ACTIVE;

    s->meta_fd = make_meta(s->tag_secret);
    if (s->meta_fd < 0)
        return s->meta_fd;
    _cleanup_(close_p) int empty = image_map_empty(s->tag_secret);
    if (empty < 0)
        return empty;
    return bpf_map_update_elem(s->progs.map[MAP_ROOTS], &slot, &empty, BPF_ANY);
}

static int open_new(const struct pins *pins, const struct meta *old, struct diag *d, struct set *s)
{
    int r = 0;

    find_old_programs(pins, s);
    s->tag_secret = (uint16_t)(old->tag_secret & IMG_TAG_SECRET_MASK);
    if (old->magic != META_MAGIC)
        r = draw_secret(&s->tag_secret);
    if (r < 0)
        return diag_errno(d, r, "cannot draw the secret of the packet tag");
    r = progs_load(&s->progs, d);
    if (r < 0)
        return r;
    r = fill_new(s);
    return r < 0 ? diag_errno(d, r, "cannot make the classifier's maps") : 0;
}

static int open_either(const struct pins *pins, struct diag *d, struct set *s)
{
    struct meta meta = {0};

    if (read_meta(pins, &s->meta_fd, &meta) == 0 && meta.layout == IMG_LAYOUT &&
        adopt_maps(pins, &s->progs) == 0) {
        s->origin = SET_ADOPTED;
        s->tag_secret = (uint16_t)(meta.tag_secret & IMG_TAG_SECRET_MASK);
        return progs_load(&s->progs, d);
    }
    progs_done(&s->progs);
    close_p(&s->meta_fd);
    return open_new(pins, &meta, d, s);
}

int set_open(const struct pins *pins, struct diag *d, struct set *ret)
{
    struct set s = SET_INIT;
    int r = open_either(pins, d, &s);

    if (r < 0) {
        set_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void set_done(struct set *s)
{
    progs_done(&s->progs);
    close_p(&s->meta_fd);
    close_p(&s->old_prog[PROG_IN]);
    close_p(&s->old_prog[PROG_OUT]);
}

static int put_all(const struct pins *pins, const struct set *s)
{
    int r = pins_mkdir(pins, "next");

    if (!r)
        r = pins_mkdir(pins, "next/prog");
    if (!r)
        r = pins_mkdir(pins, "next/map");
    for (unsigned i = 0; !r && i < _PROG_MAX; i++)
        r = pins_put(pins, "next/prog", progs_prog_name(i), s->progs.prog[i]);
    if (s->origin == SET_ADOPTED)
        return r;
    for (unsigned m = 0; !r && m < _MAP_MAX; m++)
        r = pins_put(pins, "next/map", progs_map_name(m), s->progs.map[m]);
    return r ? r : pins_put(pins, "next/map", meta_name, s->meta_fd);
}

static void remove_next(const struct pins *pins)
{
    (void)pins_remove_sub(pins, "next/map");
    (void)pins_remove_sub(pins, "next/prog");
    (void)pins_remove_sub(pins, "next");
}

int set_prepare(const struct pins *pins, const struct set *s, struct diag *d)
{
    remove_next(pins); /* of an agent that ended in between */
    int r = put_all(pins, s);
    return r < 0 ? diag_errno(d, r, "cannot pin the classifier below '%s'", pins->dir) : 0;
}

int set_take_place(const struct pins *pins, struct set *s)
{
    int r = pins_mkdir(pins, "prog");

    if (!r)
        r = pins_mkdir(pins, "map");
    for (unsigned i = 0; !r && i < _PROG_MAX; i++)
        r = pins_move(pins, "next/prog", "prog", progs_prog_name(i));
    if (s->origin != SET_ADOPTED) {
        for (unsigned m = 0; !r && m < _MAP_MAX; m++)
            r = pins_move(pins, "next/map", "map", progs_map_name(m));
        if (!r)
            r = pins_move(pins, "next/map", "map", meta_name);
    }
    if (r < 0)
        return r;
    remove_next(pins);
    close_p(&s->old_prog[PROG_IN]);
    close_p(&s->old_prog[PROG_OUT]);
    return 0;
}

static int put_back(const struct pins *pins, const char *sub, const char *name, int fd)
{
    if (pins_has(pins, sub, name))
        return 0;
    return pins_mkdir(pins, sub) == 0 && pins_put(pins, sub, name, fd) == 0;
}

int set_repair(const struct pins *pins, const struct set *s)
{
    int n = put_back(pins, "map", meta_name, s->meta_fd);

    for (unsigned m = 0; m < _MAP_MAX; m++)
        n += put_back(pins, "map", progs_map_name(m), s->progs.map[m]);
    for (unsigned i = 0; i < _PROG_MAX; i++)
        n += put_back(pins, "prog", progs_prog_name(i), s->progs.prog[i]);
    return n;
}
