/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single local addresses (src/datapath/localexact.h) in a map of the kernel: what the program reads
 * is the address with its kind or nothing, never what went or what another address is. Needs root.
 */
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/datapath/localexact.h"

static int new_map(void)
{
    LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);

    return bpf_map_create(BPF_MAP_TYPE_ARRAY, "exact", sizeof(uint32_t), sizeof(uint64_t),
                          PW_EXACT_WORDS, &o);
}

static struct local_route route(const char *text, uint8_t len, enum local_kind kind)
{
    struct local_route l = {.prefix_len = len, .kind = kind};

    assert_int_equal(ip_parse(text, strlen(text), &l.family, &l.prefix), 0);
    return l;
}

/* What the program would read (pw_exact_kind() in bpf/verdict.h). */
static unsigned kind_of(int fd, uint32_t addr)
{
    uint32_t at = img_exact(addr);
    uint64_t w;

    assert_int_equal(bpf_map_lookup_elem(fd, &at, &w), 0);
    return (uint32_t)w == addr ? (unsigned)(w >> 32) : 0;
}

/* Another address with the same place. */
static uint32_t twin(uint32_t addr)
{
    for (uint32_t other = addr + 1;; other++)
        if (img_exact(other) == img_exact(addr))
            return other;
}

static const uint32_t here = 0xc0000201; /* 192.0.2.1 */

static void test_set_and_forget(void **state)
{
    struct local_exact *x = *state;
    _cleanup_(close_p) int fd = new_map();
    struct local_route l = route("192.0.2.1", 32, LOCAL_UNICAST), second = l;

    assert_int_equal(localexact_open(x, fd), 0);
    assert_int_equal(kind_of(fd, here), 0);
    localexact_set(x, &l);
    assert_int_equal(kind_of(fd, here), LOCAL_UNICAST);
    l.kind = LOCAL_BROADCAST;
    localexact_set(x, &l);
    assert_int_equal(kind_of(fd, here), LOCAL_BROADCAST);
    second.prefix.lo = twin(here);
    localexact_set(x, &second); /* takes the place: the first one is left to the trie */
    assert_int_equal(kind_of(fd, here), 0);
    assert_int_equal(kind_of(fd, twin(here)), LOCAL_UNICAST);
    localexact_forget(x, &l); /* is not there any more */
    assert_int_equal(kind_of(fd, twin(here)), LOCAL_UNICAST);
    localexact_forget(x, &second);
    assert_int_equal(kind_of(fd, twin(here)), 0);
    localexact_close(x);
}

/* Prefixes and IPv6 have no place, and take none away. */
static void test_only_single(void **state)
{
    struct local_exact *x = *state;
    _cleanup_(close_p) int fd = new_map();
    struct local_route l = route("192.0.2.1", 32, LOCAL_UNICAST);
    struct local_route wide = route("192.0.2.1", 31, LOCAL_ANYCAST);
    struct local_route six = route("2001:db8::c000:201", 128, LOCAL_UNICAST);

    assert_int_equal(localexact_open(x, fd), 0);
    localexact_set(x, &wide);
    localexact_set(x, &six);
    assert_int_equal(kind_of(fd, here), 0);
    localexact_set(x, &l);
    localexact_forget(x, &wide);
    localexact_forget(x, &six);
    assert_int_equal(kind_of(fd, here), LOCAL_UNICAST);
    localexact_close(x);
}

/* The map of an earlier agent, whose addresses went in between. */
static void test_rebuild(void **state)
{
    struct local_exact *x = *state;
    _cleanup_(close_p) int fd = new_map();
    struct local_route gone = route("192.0.2.1", 32, LOCAL_UNICAST);
    struct local_route left[] = {route("192.0.2.2", 32, LOCAL_UNICAST),
                                 route("192.0.2.255", 32, LOCAL_BROADCAST),
                                 route("10.0.0.0", 8, LOCAL_UNICAST)};
    struct host host = {.local = left, .n_local = ARRAY_SIZE(left)};

    assert_int_equal(localexact_open(x, fd), 0);
    localexact_set(x, &gone);
    localexact_set(x, &left[0]);
    localexact_rebuild(x, &host);
    assert_int_equal(kind_of(fd, here), 0);
    assert_int_equal(kind_of(fd, here + 1), LOCAL_UNICAST);
    assert_int_equal(kind_of(fd, 0xc00002ff), LOCAL_BROADCAST);
    assert_int_equal(kind_of(fd, 0x0a000000), 0);
    localexact_close(x);
}

static struct local_exact exact;

static int setup(void **state)
{
    exact = (struct local_exact){0};
    *state = &exact;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_set_and_forget, setup),
        cmocka_unit_test_setup(test_only_single, setup),
        cmocka_unit_test_setup(test_rebuild, setup),
    };

    if (geteuid() != 0) {
        puts("1..0 # SKIP needs root for maps of the kernel");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
