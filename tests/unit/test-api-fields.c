/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parsed fields of a filter in JSON (docs/api.md, FILTER): every member, from the text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/api/json.h"
#include "apiclient/document.h"

/* Defaults of a filter from any to me; cases name what differs. */
static json_t *expected(const char *changes)
{
    json_t *j = json_pack(
        "{s:s, s:n, s:n, s:s, s:[], s:s, s:[], s:b, s:b, s:b, s:b, s:b, s:n, s:n, s:n, s:n}",
        "direction", "in", "protocol", "icmp", "source", "any", "source_ports", "destination", "me",
        "destination_ports", "mirrored", 0, "override", 0, "keep_state", 0, "log", 0, "inpass", 0,
        "interface", "profile", "methods", "description");
    json_error_t error;
    json_t *c = json_loads(changes, JSON_REJECT_DUPLICATES, &error);

    assert_non_null(j);
    assert_non_null(c);
    assert_int_equal(json_object_update_existing(j, c), 0);
    json_decref(c);
    return j;
}

static void test_fields(void **state)
{
    static const struct {
        const char *text, *changes;
    } cases[] = {
        {"block in from any to me", "{}"},
        {"block in tcp from any to me port 135,5001-5021",
         "{\"protocol\":\"tcp\",\"destination_ports\":[[135,135],[5001,5021]]}"},
        {"permit out udp from me port 1-65535 to 2001:DB8::1",
         "{\"direction\":\"out\",\"protocol\":\"udp\",\"source\":\"me\",\"destination\":"
         "\"2001:db8::1\",\"source_ports\":[[1,65535]]}"},
        {"block from 10.0.0.0/8 to 192.0.2.1-192.0.2.9 override",
         "{\"direction\":null,\"source\":\"10.0.0.0/8\",\"destination\":\"192.0.2.1-192.0.2.9\","
         "\"override\":true}"},
        {"block 99 from me to me", "{\"direction\":null,\"protocol\":\"99\",\"source\":\"me\"}"},
        {"permit in icmp type 8 from any to me",
         "{\"protocol\":\"icmp\",\"icmp\":{\"type\":8,\"code\":null}}"},
        {"permit in icmpv6 type 128 code 0 from any to me",
         "{\"protocol\":\"icmpv6\",\"icmp\":{\"type\":128,\"code\":0}}"},
        {"block in udp from dns port 53 to me mirrored on eth0 log "
         "description \"a \\\"b\\\"\"",
         "{\"protocol\":\"udp\",\"source\":\"dns\",\"source_ports\":[[53,53]],\"mirrored\":true,"
         "\"interface\":\"eth0\",\"log\":true,"
         "\"description\":\"a \\\"b\\\"\"}"},
        {"permit out udp from me to any port 53 profile public keep state",
         "{\"direction\":\"out\",\"protocol\":\"udp\",\"source\":\"me\",\"destination\":\"any\","
         "\"destination_ports\":[[53,53]],\"keep_state\":true,\"profile\":\"public\"}"},
        {"permit inpass in tcp from any to me port 445",
         "{\"protocol\":\"tcp\",\"inpass\":true,\"destination_ports\":[[445,445]]}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *want = expected(cases[i].changes);
        _cleanup_json_ json_t *have = json_filter_fields(cases[i].text);

        if (!json_equal(want, have))
            fail_msg("%s: %s", cases[i].text, json_dumps(have, 0));
    }
}

/* Exemptions that the grammar cannot say: every member is there, and null. */
static void test_no_filter(void **state)
{
    static const char *const texts[] = {NULL, "", "neighbour discovery", "block in tcp port 70000"};
    const char *key;
    json_t *value;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_json_ json_t *j = json_filter_fields(texts[i]);
        _cleanup_json_ json_t *all = expected("{}");

        assert_int_equal(json_object_size(j), json_object_size(all));
        json_object_foreach(all, key, value)
        {
            assert_true(json_is_null(json_object_get(j, key)));
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_no_filter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
