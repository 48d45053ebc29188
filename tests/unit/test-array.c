/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/array.c: growth keeps what is there, overflow and failure leave it alone, and a closed
 * descriptor is closed once. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

static void test_growth_keeps_contents(void **state)
{
    (void)state;
    _cleanup_free_ int *v = NULL;
    size_t cap = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(array_reserve(&v, &cap, (size_t)i + 1, sizeof(*v)), 0);
        assert_true(cap > (size_t)i);
        v[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v[i], i);
}

static void test_growth_doubles(void **state)
{
    (void)state;
    _cleanup_free_ char *v = NULL;
    size_t cap = 0;
    assert_int_equal(array_reserve(&v, &cap, 100, 1), 0);
    assert_int_equal(cap, 100);
    assert_int_equal(array_reserve(&v, &cap, 101, 1), 0);
    assert_int_equal(cap, 200);
    assert_int_equal(array_reserve(&v, &cap, 50, 1), 0);
    assert_int_equal(cap, 200);
}

static void test_failure_leaves_array(void **state)
{
    (void)state;
    _cleanup_free_ uint64_t *v = NULL;
    size_t cap = 0;
    assert_int_equal(array_reserve(&v, &cap, 4, sizeof(*v)), 0);
    const uint64_t *before = v;
    size_t cap_before = cap;
    v[3] = 42;
    assert_int_equal(array_reserve(&v, &cap, SIZE_MAX / 4, sizeof(*v)), -ENOMEM);
    assert_ptr_equal(v, before);
    assert_int_equal(cap, cap_before);
    assert_int_equal(v[3], 42);
}

static void test_close_p(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int number = fd;
    errno = ENOSPC;
    close_p(&fd);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
    close_p(&fd);
    assert_int_equal(fd, -1);
}

static void test_take(void **state)
{
    (void)state;
    char *p = strdup("x"), *q = TAKE_PTR(p);
    assert_null(p);
    assert_non_null(q);
    free(q);
    int fd = 7;
    assert_int_equal(TAKE_FD(fd), 7);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth_keeps_contents),
        cmocka_unit_test(test_growth_doubles),
        cmocka_unit_test(test_failure_leaves_array),
        cmocka_unit_test(test_close_p),
        cmocka_unit_test(test_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
