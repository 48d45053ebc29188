/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bits of local addresses (src/datapath/localhint.h) in a map of the kernel: an address that is
 * there always has its bit, whatever was there before, and one that went loses it in time. Needs
 * root. */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/datapath/localhint.h"
#include "base/util.h"

static uint64_t words[PW_HINT_WORDS];

static int new_map(void)
{
    return bpf_map_create(BPF_MAP_TYPE_ARRAY, "hint", sizeof(uint32_t), sizeof(words), 2, NULL);
}

static struct local_route route(const char *text, uint8_t len)
{
    struct local_route l = {.prefix_len = len, .kind = LOCAL_UNICAST};
    assert_int_equal(ip_parse(text, strlen(text), &l.family, &l.prefix), 0);
    return l;
}

/* The bit that the program asks for, in the map. */
static bool has_bit(int fd, const char *text)
{
    struct local_route l = route(text, 0);
    uint32_t element = l.family == FAMILY_4 ? 0 : 1;
    uint32_t bit = img_hint(element == 0 ? l.prefix.lo : l.prefix.hi);
    assert_int_equal(bpf_map_lookup_elem(fd, &element, words), 0);
    return words[bit / 64] >> (bit % 64) & 1;
}

static void add(struct local_hint *h, int fd, const char *text, uint8_t len)
{
    struct local_route l = route(text, len);
    assert_int_equal(localhint_add(h, fd, &l), 0);
}

static void test_prefixes(void **state)
{
    struct local_hint *h = *state;
    _cleanup_(close_p) int fd = new_map();
    add(h, fd, "192.0.2.1", 32);
    assert_true(has_bit(fd, "192.0.2.1"));
    assert_false(has_bit(fd, "192.0.2.2"));
    add(h, fd, "10.1.2.0", 24);
    assert_true(has_bit(fd, "10.1.2.0") && has_bit(fd, "10.1.2.77") && has_bit(fd, "10.1.2.255"));
    add(h, fd, "127.0.0.0", 8); /* always looked up */
    assert_false(has_bit(fd, "198.51.100.9"));
    add(h, fd, "2001:db8::1", 128);
    add(h, fd, "2001:db8:4::", 62);
    assert_true(has_bit(fd, "2001:db8::1"));
    assert_true(has_bit(fd, "2001:db8:4:3::5"));
    assert_false(has_bit(fd, "2001:db8:9::1"));
    add(h, fd, "11.0.0.0", 8); /* too many to name each */
    assert_true(has_bit(fd, "198.51.100.9"));
    assert_false(has_bit(fd, "2001:db8:9::1"));
}

/* A map of an earlier agent: nothing that is in the tries may lose its bit on the way. */
static void test_taken_over(void **state)
{
    struct local_hint *h = *state;
    _cleanup_(close_p) int fd = new_map();
    add(h, fd, "192.0.2.1", 32);
    add(h, fd, "192.0.2.2", 32);
    struct local_hint *next = calloc(1, sizeof(*next));
    assert_non_null(next);
    add(next, fd, "192.0.2.3", 32);
    assert_true(has_bit(fd, "192.0.2.1") && has_bit(fd, "192.0.2.2") && has_bit(fd, "192.0.2.3"));
    struct local_route left[] = {route("192.0.2.2", 32), route("192.0.2.3", 32)};
    struct host host = {.local = left, .n_local = ARRAY_SIZE(left)};
    for (unsigned i = 0; i < 1000; i++) /* before the host is known nothing is cleared */
        assert_int_equal(localhint_removed(next, fd, &host), 0);
    assert_true(has_bit(fd, "192.0.2.1"));
    assert_int_equal(localhint_rebuild(next, fd, &host), 0);
    assert_false(has_bit(fd, "192.0.2.1"));
    assert_true(has_bit(fd, "192.0.2.2") && has_bit(fd, "192.0.2.3"));
    free(next);
}

static void test_removed(void **state)
{
    struct local_hint *h = *state;
    _cleanup_(close_p) int fd = new_map();
    struct local_route left[] = {route("192.0.2.2", 32)};
    struct host host = {.local = left, .n_local = ARRAY_SIZE(left)};
    assert_int_equal(localhint_rebuild(h, fd, &host), 0);
    add(h, fd, "192.0.2.1", 32);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(localhint_removed(h, fd, &host), 0);
    assert_false(has_bit(fd, "192.0.2.1"));
    assert_true(has_bit(fd, "192.0.2.2"));
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct local_hint));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

int main(void)
{
    int fd = new_map();
    if (fd < 0) {
        fprintf(stderr, "SKIP: test-localhint: needs root for maps of the kernel\n");
        return 77;
    }
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
