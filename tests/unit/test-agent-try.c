/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's history and previews over a stand-in for the kernel: rollback, changes that are only
 * tried, changes on condition of a generation, and what is said about packets. */
#include <ftw.h>
#include <inttypes.h>

#include "agent-help.h"
#include "base/hash.h"

struct answer {
    bool done;
    int err;
    enum diag_code code;
    char message[DIAG_MESSAGE_BYTES], change[16], id[16];
    uint64_t generation;
    bool flipped;
    uint32_t restored, revision;
    /* of the preview */
    bool made, equal, complete, arms;
    char blocked[512], permitted[512], allowed[512];
    int64_t connections;
    size_t n_warnings;
};

static void keep_preview(struct answer *a, const struct agent_preview *p)
{
    a->made = p->made;
    a->equal = p->equal;
    a->complete = p->complete;
    a->arms = p->arms;
    a->connections = p->connections;
    for (size_t i = 0; i < p->n; i++) {
        char *to = p->v[i].blocked ? a->blocked : a->permitted;
        snprintf(to + strlen(to), 512 - strlen(to), "%s\n", p->v[i].set);
        assert_non_null(p->v[i].example);
    }
}

static void keep(void *ctx, const struct agent_result *r)
{
    struct answer *a = ctx;
    assert_false(a->done);
    *a = (struct answer){.done = true,
                         .err = r->err,
                         .code = r->diag.code,
                         .generation = r->generation,
                         .flipped = r->flipped,
                         .restored = r->restored,
                         .n_warnings = r->warnings.n};
    snprintf(a->message, sizeof(a->message), "%s", r->diag.message);
    snprintf(a->change, sizeof(a->change), "%s", r->change ? r->change : "");
    if (r->filters.n > 0)
        snprintf(a->id, sizeof(a->id), "%s", r->filters.v[0].id);
    if (r->n_policies > 0)
        a->revision = r->policies[0].revision;
    keep_preview(a, &r->preview);
    for (size_t i = 0; i < r->exceptions.n; i++)
        snprintf(a->allowed + strlen(a->allowed), sizeof(a->allowed) - strlen(a->allowed),
                 "%s %s\n", r->exceptions.v[i].id, r->exceptions.v[i].set);
}

#include "agent-ask.h"

/* --- what lies on disk --- */
static uint64_t print_of_files;

static int add_file(const char *path, const struct stat *st, int kind, struct FTW *ftw _unused_)
{
    static const struct hash_seed seed = {1, 2};
    if (kind != FTW_F || !S_ISREG(st->st_mode))
        return 0;
    FILE *f = fopen(path, "re");
    size_t size = (size_t)st->st_size;
    char *bytes = malloc(size + 1);
    assert_non_null(f);
    assert_non_null(bytes);
    size_t n = fread(bytes, 1, size, f);
    print_of_files =
        print_of_files * 31 + siphash24(bytes, n, seed) + siphash24(path, strlen(path), seed);
    free(bytes);
    return fclose(f);
}

static uint64_t files(void)
{
    struct agent_policy_info *v = NULL;
    struct diag d = {0};
    size_t n;
    assert_int_equal(agent_policies(agent, &d, &v, &n), 0); /* a reader marks the -shm file */
    free(v);
    print_of_files = 0;
    assert_int_equal(nftw(dir, add_file, 8, FTW_PHYS), 0);
    return print_of_files;
}

/* Runs the change with dry_run and looks that nothing came of it. */
static struct answer tried(struct agent_change c)
{
    uint64_t before = files(), generation = agent_generation(agent);
    unsigned flips = fake.n_flips;
    c.dry_run = true;
    struct answer a = request(&c);
    assert_false(a.flipped);
    assert_int_equal(fake.n_flips, flips);
    assert_int_equal(fake.candidate, 0);
    assert_true(agent_generation(agent) == generation);
    assert_true(files() == before);
    assert_int_equal(a.made, a.err == 0);
    return a;
}

#define SMB                                                                       \
    "policy \"P\" { rule \"LAN\" permit in tcp from 10.1.1.0/24 to me port 445\n" \
    " rule \"SMB\" block in tcp from 10.1.0.0/16 to me port 445 }"

static void load(const char *text)
{
    ok(&(struct agent_change){.kind = AGENT_POLICY_LOAD, .text = text, .replace = true});
}

static void assign(const char *name)
{
    ok(&(struct agent_change){.kind = AGENT_ASSIGN, .policy = name});
}

/* --- tests --- */
static void test_try_block(void **state _unused_)
{
    start();
    load(SMB);
    struct answer a = tried((struct agent_change){.kind = AGENT_ASSIGN, .policy = "P"});
    assert_string_equal(a.blocked, "tcp from 10.1.0.0/16 but 10.1.1.0/24 to me port 445\n");
    assert_string_equal(a.permitted, "");
    assert_true(a.arms && a.complete && !a.equal);
    assign("P");
    a = tried((struct agent_change){.kind = AGENT_FILTER_ADD, .text = "block in tcp port 445"});
    assert_string_equal(a.change, "added");
    assert_string_equal(a.blocked, "tcp from any but 10.1.0.0/16 to me port 445\n");
    assert_string_equal(a.allowed, "s1 tcp from 10.1.1.0/24 to me port 445\n");
    assert_false(a.arms);
    /* The real one says the same and takes the same id. */
    struct answer real =
        ok(&(struct agent_change){.kind = AGENT_FILTER_ADD, .text = "block in tcp port 445"});
    assert_string_equal(real.id, a.id);
    assert_string_equal(real.allowed, a.allowed);
    assert_false(real.made);
    a = tried((struct agent_change){.kind = AGENT_FILTER_ADD, .text = "block in tcp port 445"});
    assert_string_equal(a.change, "none");
    assert_true(a.equal);
    assert_string_equal(a.allowed, real.allowed);
    a = tried((struct agent_change){.kind = AGENT_FLUSH});
    assert_string_equal(a.permitted, "tcp from any but 10.1.0.0/16 to me port 445\n");
    assert_string_equal(a.id, "d1");
}

static void test_try_policies(void **state _unused_)
{
    start();
    load(SMB);
    load("policy \"Q\" { rule \"a\" block in udp port 9 }");
    assign("P");
    struct answer a = tried((struct agent_change){.kind = AGENT_ASSIGN, .policy = "Q"});
    assert_string_equal(a.change, "replaced");
    assert_string_equal(a.blocked, "udp from any to me port 9\n");
    assert_string_equal(a.permitted, "tcp from 10.1.0.0/16 but 10.1.1.0/24 to me port 445\n");
    a = tried((struct agent_change){.kind = AGENT_UNASSIGN});
    assert_string_equal(a.change, "deleted");
    a = tried((struct agent_change){.kind = AGENT_POLICY_DELETE, .policy = "Q"});
    assert_true(a.equal && a.err == 0);
    a = tried((struct agent_change){
        .kind = AGENT_RULE_ADD, .policy = "P", .rule = "New", .text = "block in tcp port 7"});
    assert_string_equal(a.blocked, "tcp from any to me port 7\n");
    assert_int_equal(a.revision, 2);
    a = tried((struct agent_change){.kind = AGENT_RULE_DELETE, .policy = "P", .rule = "LAN"});
    assert_string_equal(a.blocked, "tcp from 10.1.1.0/24 to me port 445\n");
    a = tried((struct agent_change){.kind = AGENT_COUNTERS_RESET});
    assert_true(a.equal);
}

/* The error, and so the exit code, of the real run. */
static void test_try_fails_alike(void **state _unused_)
{
    static const struct agent_change cases[] = {
        {.kind = AGENT_FILTER_ADD, .text = "block in tcp prot 445"},
        {.kind = AGENT_FLUSH, .if_generation = 99},
        {.kind = AGENT_POLICY_LOAD, .text = "policy \"P\" { rule \"a\" block in udp }"},
        {.kind = AGENT_POLICY_LOAD, .text = "policy"},
        {.kind = AGENT_POLICY_DELETE, .policy = "P"},
        {.kind = AGENT_ASSIGN, .policy = "No such"},
        {.kind = AGENT_RULE_ADD, .policy = "P", .rule = "SMB", .text = "block in udp"},
        {.kind = AGENT_POLICY_ROLLBACK, .policy = "P", .revision = 9},
    };
    start();
    load(SMB);
    assign("P");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct answer a = tried(cases[i]), real = request(&cases[i]);
        assert_true(a.err < 0);
        assert_int_equal(a.err, real.err);
        assert_int_equal(a.code, real.code);
        assert_string_equal(a.message, real.message);
    }
}

static void test_rollback(void **state _unused_)
{
    start();
    load(SMB);
    assign("P");
    load("policy \"P\" { rule \"SMB\" block in tcp from 10.1.0.0/16 to me port 445 }");
    assert_true(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 445"));
    struct agent_change back = {.kind = AGENT_POLICY_ROLLBACK, .policy = "p"};
    struct answer a = tried(back);
    assert_string_equal(a.permitted, "tcp from 10.1.1.0/24 to me port 445\n");
    assert_int_equal(a.restored, 1);
    assert_int_equal(a.revision, 3);
    a = ok(&back);
    assert_true(a.flipped);
    assert_int_equal(a.restored, 1);
    assert_int_equal(a.revision, 3);
    assert_false(fake_blocks("in tcp from 10.1.1.5 to 192.0.2.1 port 445"));
    /* The filter that had gone has its old id. */
    struct agent_filters l = {0};
    struct diag d = {0};
    assert_int_equal(agent_list(agent, &(struct agent_list_query){.layer = -1}, &d, &l), 0);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.v[0].id, "s1");
    assert_string_equal(l.v[1].id, "s2");
    agent_filters_done(&l);
    back.revision = 3;
    a = ok(&back);
    assert_string_equal(a.change, "none");
    assert_false(a.flipped);
    _cleanup_(history_done) struct history h = {0};
    assert_int_equal(agent_history(agent, "P", 0, &d, &h), 0);
    assert_int_equal(h.n, 3);
    assert_string_equal(h.v[0].change, "rollback to revision 1");
    assert_true(h.v[0].generation > 0);
}

static void test_if_generation(void **state _unused_)
{
    start();
    struct agent_change c = {.kind = AGENT_FILTER_ADD,
                             .text = "block in udp port 1",
                             .if_generation = agent_generation(agent) + 1};
    struct answer a = request(&c);
    assert_int_equal(a.code, DIAG_CONFLICT);
    assert_int_equal(fake.n_flips, 1);
    c.if_generation = agent_generation(agent);
    ok(&c);
    assert_int_equal(request(&c).code, DIAG_CONFLICT);
}

static void test_trail(void **state _unused_)
{
    start();
    struct author bob = {
        .uid = 7, .login = "bob", .origin = "cli", .reason = "own", .peer = "10.1.4.7"};
    ok(&(struct agent_change){
        .kind = AGENT_FILTER_ADD, .text = "block in udp port 1 reason \"text\"", .author = bob});
    ok(&(struct agent_change){
        .kind = AGENT_FILTER_ADD, .text = "block in udp port 2", .author = bob});
    ok(&(struct agent_change){.kind = AGENT_RULE_ADD,
                              .policy = "N",
                              .rule = "r",
                              .text = "block in udp",
                              .create = true,
                              .author = bob});
    _cleanup_(history_done) struct history h = {0};
    struct diag d = {0};
    assert_int_equal(agent_history(agent, NULL, 0, &d, &h), 0);
    assert_int_equal(h.n, 3);
    assert_string_equal(h.v[0].change, "create, add rule \"r\"");
    assert_string_equal(h.v[0].object, "N");
    assert_int_equal(h.v[0].revision, 1);
    assert_string_equal(h.v[1].reason, "own");
    assert_string_equal(h.v[2].reason, "text");
    assert_string_equal(h.v[2].object, "d1 block in udp from any to me port 1");
    assert_string_equal(h.v[2].peer, "10.1.4.7");
    assert_int_equal(h.v[2].uid, 7);
    assert_true(h.v[2].generation > 0);
}

/* The list names the filter of each flow; a deletion takes those of an address. */
static void test_flows(void **state _unused_)
{
    start();
    load("policy \"K\" { rule \"dns\" permit out udp port 53 keep state }");
    assign("K");
    uint32_t id = agent->in_force->e.v[0].counter_id;
    for (uint64_t i = 0; i < 4; i++)
        fake.flows[fake.n_flows++] = (struct flow){.table = FLOW_OUT_ANSWERED,
                                                   .family = FAMILY_4,
                                                   .src = {.lo = 0xc0000201},
                                                   .dst = {.lo = 0xc0000235 + i / 2},
                                                   .proto = PROTO_UDP,
                                                   .out = true,
                                                   .counter_id = i ? id : id + 77};
    struct diag d = {0};
    struct agent_flows l = {0};
    assert_int_equal(agent_flows(agent, &d, &l), 0);
    assert_int_equal(l.n, 4);
    assert_int_equal(l.total, 4);
    assert_null(l.v[0].filter.text); /* its permit is gone */
    assert_string_equal(l.v[1].filter.rule, "dns");
    assert_string_equal(l.v[1].filter.policy, "K");
    agent_flows_done(&l);
    struct agent_change c = {.kind = AGENT_STATE_DELETE, .text = "192.0.2.54", .dry_run = true};
    assert_int_equal(request(&c).err, 0);
    assert_int_equal(fake.n_flows, 4);
    c.dry_run = false;
    assert_int_equal(request(&c).err, 0);
    assert_int_equal(fake.n_flows, 2);
    c.text = "192.0.2.9";
    assert_int_equal(request(&c).err, 0);
    assert_int_equal(fake.n_flows, 2);
    c.text = "me";
    assert_int_equal(request(&c).code, DIAG_USAGE);
    c.text = "all";
    assert_int_equal(request(&c).err, 0);
    assert_int_equal(fake.n_flows, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, agent_setup, agent_teardown)
    const struct CMUnitTest tests[] = {
        T(try_block),     T(try_policies), T(try_fails_alike), T(rollback),
        T(if_generation), T(trail),        T(flows),
    };
#undef T
    return cmocka_run_group_tests(tests, NULL, NULL);
}
