/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes in place: what can be done, what needs a new image, and that every image between two
 * stores gives each packet the verdict of before or of after. Random sequences: diff-patch. */
#include "compile/patch.h"

#include "compile-help.h"

enum { BEFORE = 7, AFTER = 8 };

/* A set of filters of which the last one comes or goes. */
struct change {
    struct set s;
    struct image before, after;
    struct image_patch patch;
};

static struct effective less(const struct change *c)
{
    struct effective e = set_effective(&c->s);
    e.n--;
    return e;
}

static void change_init(struct change *c)
{
    *c = (struct change){.s = {0}};
    set_init(&c->s);
}

static void change_done(struct change *c)
{
    image_patch_done(&c->patch);
    image_done(&c->before);
    image_done(&c->after);
    set_done(&c->s);
}

static void store_all(struct image *img, const struct image_patch *p)
{
    uint64_t *words = img->lines;
    for (size_t i = 0; i < p->n; i++) {
        assert_int_equal(words[p->v[i].word], p->v[i].before);
        words[p->v[i].word] = p->v[i].value;
    }
    img->generation = p->generation;
}

/* Compiles what was before and patches a copy of it. */
static int patch_copy(struct change *c, const struct image_lists *lists)
{
    struct compile_options o = {.generation = BEFORE, .seed = 0x5eed};
    struct image_change change;
    struct diag d = {0};
    assert_int_equal(compile_image(lists->before, &o, &d, &c->before, NULL), 0);
    int r = image_change_of(lists, &change);
    if (r < 0)
        return r;
    size_t size = (size_t)c->before.n_lines * IMG_LINE_BYTES;
    c->after = c->before;
    c->after.lines = malloc(size);
    assert_non_null(c->after.lines);
    memcpy(c->after.lines, c->before.lines, size);
    struct image_patcher *patcher = NULL;
    assert_int_equal(image_patcher_new(&patcher), 0);
    r = image_patch(patcher, &c->before, &change, &c->patch);
    image_patcher_free(patcher);
    if (r == 0) {
        assert_memory_equal(c->before.lines, c->after.lines, size); /* it is read only */
        store_all(&c->after, &c->patch);
        assert_true(image_patch_holds(&c->after, &c->patch));
    }
    return r;
}

static int run(struct change *c, bool add, bool losers)
{
    struct effective few = less(c), all = set_effective(&c->s);
    size_t last = c->s.n - 1;
    struct image_lists change = {.before = add ? &few : &all,
                                 .after = add ? &all : &few,
                                 .added = &last,
                                 .n_added = add,
                                 .deleted = &last,
                                 .n_deleted = !add,
                                 .losers = losers,
                                 .generation = AFTER};
    return patch_copy(c, &change);
}

/* Makes the stores one by one; each packet must be decided as before or as after all the time,
 * and as after at the end. */
static void check_steps(struct change *c, const struct packet *p, size_t n)
{
    uint64_t *words = c->before.lines;
    uint32_t old[8], new[8];
    assert_true(n <= ARRAY_SIZE(old));
    for (size_t k = 0; k < n; k++) {
        old[k] = decides_in(&c->before, p[k]);
        new[k] = decides_in(&c->after, p[k]);
    }
    for (size_t i = 0; i < c->patch.n; i++) {
        const struct image_store *s = &c->patch.v[i];
        assert_int_equal(words[s->word], s->before);
        words[s->word] = s->value;
        for (size_t k = 0; k < n; k++) {
            uint32_t now = decides_in(&c->before, p[k]);
            assert_true(now == old[k] || now == new[k]);
        }
        const struct img_header *h = c->before.lines;
        assert_true((h->generation == AFTER) == (i + 1 == c->patch.n));
    }
    for (size_t k = 0; k < n; k++)
        assert_int_equal(decides_in(&c->before, p[k]), new[k]);
    assert_memory_equal(words, c->after.lines, (size_t)c->after.n_lines * IMG_LINE_BYTES);
}

static void test_add_and_delete(void **state _unused_)
{
    const struct packet p[] = {
        packet_of(PROTO_TCP, "10.1.0.1", 9, "192.0.2.1", 80),
        packet_of(PROTO_TCP, "10.2.0.1", 9, "192.0.2.1", 443),
        packet_of(PROTO_TCP, "10.2.0.1", 9, "192.0.2.1", 80),
        packet_of(PROTO_TCP, "2001:db8::1", 9, "2001:db8::2", 8080),
    };
    for (int add = 0; add < 2; add++) {
        struct change c;
        change_init(&c);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .src = "10.1.0.0/16", .dst = "me", .dport = "80");
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .src = "2001:db8::1", .dst = "me", .dport = "81");
        ADD(&c.s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "443");
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .src = "10.2.0.0/16", .dst = "me", .dport = "443");
        assert_int_equal(run(&c, add, false), 0);
        assert_int_equal(decides_in(add ? &c.after : &c.before, p[1]), 4);
        assert_int_equal(decides_in(add ? &c.before : &c.after, p[1]), 3);
        check_steps(&c, p, ARRAY_SIZE(p));
        change_done(&c);
    }
}

static void test_both_families_and_ports(void **state _unused_)
{
    const struct packet p[] = {
        packet_of(PROTO_UDP, "10.1.0.1", 9, "192.0.2.1", 11),
        packet_of(PROTO_UDP, "10.1.0.1", 9, "192.0.2.1", 12),
        packet_of(PROTO_UDP, "2001:db8::1", 9, "2001:db8::2", 12),
        packet_of(PROTO_UDP, "2001:db8::1", 9, "2001:db8::2", 13),
    };
    struct change c;
    change_init(&c);
    ADD(&c.s, ACTION_BLOCK, PROTO_UDP, .dst = "me", .dport = "1");
    ADD(&c.s, ACTION_BLOCK, PROTO_UDP, .dst = "me", .dport = "11,12");
    assert_int_equal(run(&c, true, false), 0);
    check_steps(&c, p, ARRAY_SIZE(p));
    assert_int_equal(decides_in(&c.before, p[2]), 2);
    assert_int_equal(decides_in(&c.before, p[3]), 0);
    change_done(&c);
}

/* The first block arms, the last one disarms. */
static void test_armed(void **state _unused_)
{
    for (int add = 0; add < 2; add++) {
        struct change c;
        change_init(&c);
        ADD(&c.s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "1");
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "2");
        assert_int_equal(run(&c, add, false), 0);
        const struct img_header *h = c.after.lines;
        assert_int_equal(h->flags & IMG_ARMED, add ? IMG_ARMED : 0);
        assert_int_equal(h->state_epoch, AFTER);
        assert_int_equal(h->n_entries, add ? 4 : 2);
        change_done(&c);
    }
}

/* One filter is there, another one of this kind is not possible in place. */
static void needs_image(struct spec there, struct spec added)
{
    struct change c;
    change_init(&c);
    set_add(&c.s, there);
    set_add(&c.s, added);
    assert_int_equal(run(&c, true, false), -EAGAIN);
    change_done(&c);
}

static void test_needs_a_new_image(void **state _unused_)
{
    const struct spec port = {ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80"};
    const struct spec range = {ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80-89"};
    struct spec x = port;
    x.src = "10.0.0.1"; /* a new shape */
    needs_image(port, x);
    x = range;
    needs_image(port, x);
    x.dport = "85-95"; /* cuts the interval */
    needs_image(range, x);
    x.dport = "80-99";
    needs_image(range, x);
    x = port;
    x.src = "10.0.0.0/24";
    struct spec addresses = x;
    addresses.src = "10.0.0.0-10.0.1.255"; /* copies */
    needs_image(x, addresses);
    x = port;
    x.id = 1; /* of the same identity: no order of its own */
    needs_image(port, x);
}

static void test_ranges_that_are_there(void **state _unused_)
{
    struct change c;
    change_init(&c);
    ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80-89");
    ADD(&c.s, ACTION_PERMIT, PROTO_UDP, .dst = "me", .dport = "80-89");
    assert_int_equal(run(&c, true, false), 0);
    assert_int_equal(decides_in(&c.after, packet_of(PROTO_UDP, "10.0.0.1", 9, "192.0.2.1", 85)), 2);
    change_done(&c);
}

/* A filter that was left out because the deleted one covers it would have to come back. */
static void test_losers(void **state _unused_)
{
    for (int same = 0; same < 2; same++) {
        struct change c;
        change_init(&c);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = same ? "80" : "79", .id = 9);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80", .id = 3);
        assert_int_equal(run(&c, false, true), same ? -EAGAIN : 0);
        change_done(&c);
    }
}

/* Deletes the filters with these indices in one patch. */
static int run_deletions(struct change *c, const size_t *deleted, size_t n, bool losers)
{
    struct effective all = set_effective(&c->s), rest = all;
    struct effective_filter v[8];
    assert_true(c->s.n <= ARRAY_SIZE(v));
    rest.n = 0;
    rest.v = v;
    for (size_t i = 0, k = 0; i < all.n; i++) {
        if (k < n && deleted[k] == i)
            k++;
        else
            v[rest.n++] = all.v[i];
    }
    struct image_lists change = {.before = &all,
                                 .after = &rest,
                                 .deleted = deleted,
                                 .n_deleted = n,
                                 .losers = losers,
                                 .generation = AFTER};
    return patch_copy(c, &change);
}

/* A port that is blocked before and after several deletions is so between them, although a permit
 * that goes as well stands between the two blocks: by weight, or by GUID. */
static void test_several_deletions(void **state _unused_)
{
    static const size_t first_two[] = {0, 1};
    const struct packet p = packet_of(PROTO_TCP, "10.1.0.1", 9, "192.0.2.1", 80);
    for (int losers = 0; losers < 2; losers++) {
        struct change c;
        change_init(&c);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .src = "10.1.0.0/16", .dst = "me", .dport = "80");
        ADD(&c.s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80");
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me");
        assert_int_equal(run_deletions(&c, first_two, 2, losers), 0);
        assert_int_equal(decides_in(&c.before, p), 1);
        assert_int_equal(decides_in(&c.after, p), 3);
        check_steps(&c, &p, 1);
        change_done(&c);
    }
    struct change c;
    change_init(&c);
    ADD(&c.s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = UINT64_MAX / 2);
    ADD(&c.s, ACTION_PERMIT, PROTO_TCP, .dst = "me", .dport = "80", .deadline_ns = UINT64_MAX - 1);
    ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me");
    assert_int_equal(run_deletions(&c, first_two, 2, false), 0);
    assert_int_equal(decides_in(&c.before, p), 1);
    check_steps(&c, &p, 1);
    change_done(&c);
}

/* Addresses of a name on both sides, mirrored: the two filters have the same keys, counter and
 * GUID, and one slot each way. */
static void test_siblings(void **state _unused_)
{
    static const size_t second[] = {1};
    struct change c;
    change_init(&c);
    ADD(&c.s, ACTION_BLOCK, 0, .src = "10.0.0.1", .dst = "10.0.0.2", .mirrored = true, .id = 1);
    ADD(&c.s, ACTION_BLOCK, 0, .src = "10.0.0.2", .dst = "10.0.0.1", .mirrored = true, .id = 1);
    assert_int_equal(run_deletions(&c, second, 1, false), -EAGAIN);
    change_done(&c);
}

/* Filters of equal weight: the smaller GUID counts, wherever it came from. */
static void test_order(void **state _unused_)
{
    static const uint32_t ids[] = {1, 15, 30};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        struct change c;
        change_init(&c);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80", .id = 10);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "79", .id = 20);
        ADD(&c.s, ACTION_BLOCK, PROTO_TCP, .dst = "me", .dport = "80", .id = ids[i]);
        assert_int_equal(run(&c, true, false), 0);
        assert_int_equal(decides_in(&c.after, packet_of(PROTO_TCP, "10.0.0.1", 9, "192.0.2.1", 80)),
                         ids[i] < 10 ? ids[i] : 10);
        change_done(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_and_delete),
        cmocka_unit_test(test_both_families_and_ports),
        cmocka_unit_test(test_armed),
        cmocka_unit_test(test_needs_a_new_image),
        cmocka_unit_test(test_ranges_that_are_there),
        cmocka_unit_test(test_losers),
        cmocka_unit_test(test_several_deletions),
        cmocka_unit_test(test_siblings),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
