/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See tables.h. */
#include "tables.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

_Static_assert((int)RPC_PROTO_TCP == (int)RPC_TCP && (int)RPC_PROTO_UDP == (int)RPC_UDP, "index");

uint32_t port_bits_count(const struct port_bits *b)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < RPC_WORDS; i++)
        n += (uint32_t)__builtin_popcountll(b->word[i]);
    return n;
}

static int map_memory(int fd, size_t bytes, void **ret, size_t *ret_bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = (bytes + page - 1) / page * page;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    *ret = at;
    *ret_bytes = size;
    return 0;
}

int tables_open(int conf_fd, int tables_fd, struct tables *ret)
{
    struct tables t = {0};
    void *conf = NULL, *tables = NULL;
    int r = map_memory(conf_fd, sizeof(*t.conf), &conf, &t.conf_bytes);

    t.conf = conf;
    if (r == 0)
        r = map_memory(tables_fd, RPC_PROTOS * sizeof(*t.t), &tables, &t.table_bytes);
    t.t = tables;
    if (r < 0) {
        tables_close(&t);
        return r;
    }
    *ret = t;
    return 0;
}

void tables_close(struct tables *t)
{
    if (t->conf)
        (void)munmap(t->conf, t->conf_bytes); /* a mapping of ours: cannot fail */
    if (t->t)
        (void)munmap(t->t, t->table_bytes);
    *t = (struct tables){0};
}

static void bounds(const struct port_bits *b, uint32_t *ret_first, uint32_t *ret_n)
{
    uint32_t first = 0, end = RPC_WORDS;

    while (first < RPC_WORDS && !b->word[first])
        first++;
    while (end > first && !b->word[end - 1])
        end--;
    *ret_first = first < RPC_WORDS ? first : 0;
    *ret_n = end - first;
}

/* A search that runs meanwhile looks at some words too few or too many; what it finds is a member
 * of the old or of the new set. */
void tables_set_members(struct tables *t, const struct port_bits *b)
{
    uint32_t first, n, ports = port_bits_count(b);

    bounds(b, &first, &n);
    for (unsigned p = 0; p < RPC_PROTOS; p++) {
        struct rpc_table *table = &t->t[p];

        for (unsigned i = 0; i < RPC_WORDS; i++)
            __atomic_store_n(&table->member[i], b->word[i], __ATOMIC_RELAXED);
        __atomic_store_n(&table->n_ports, ports, __ATOMIC_RELAXED);
        __atomic_store_n(&table->first_word, first, __ATOMIC_RELAXED);
        __atomic_store_n(&table->n_words, n, __ATOMIC_RELEASE);
    }
}

void tables_members(const struct tables *t, struct port_bits *ret)
{
    memcpy(ret->word, t->t[RPC_TCP].member, sizeof(ret->word)); /* nobody else writes it */
}

uint32_t tables_refs(const struct tables *t, enum rpc_proto p, uint16_t port)
{
    return __atomic_load_n(&t->t[p].refs[port], __ATOMIC_RELAXED);
}

static bool has_bit(const __u64 *words, uint16_t port)
{
    return __atomic_load_n(&words[port / 64], __ATOMIC_RELAXED) >> (port % 64) & 1;
}

static void set_bit(__u64 *words, uint16_t port)
{
    (void)__atomic_fetch_or(&words[port / 64], 1ULL << (port % 64), __ATOMIC_SEQ_CST);
}

static void clear_bit(__u64 *words, uint16_t port)
{
    (void)__atomic_fetch_and(&words[port / 64], ~(1ULL << (port % 64)), __ATOMIC_SEQ_CST);
}

bool tables_in_limbo(const struct tables *t, enum rpc_proto p, uint16_t port)
{
    return has_bit(t->t[p].limbo, port) && tables_refs(t, p, port) == 0;
}

bool tables_seed(struct tables *t, enum rpc_proto p, uint16_t port)
{
    struct rpc_table *table = &t->t[p];
    uint32_t nobody = 0;

    if (!__atomic_compare_exchange_n(&table->refs[port], &nobody, 1, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return false;
    set_bit(table->seeded, port);
    set_bit(table->busy, port);
    return true;
}

bool tables_is_seeded(const struct tables *t, enum rpc_proto p, uint16_t port)
{
    return has_bit(t->t[p].seeded, port);
}

void tables_unseed(struct tables *t, enum rpc_proto p, uint16_t port)
{
    struct rpc_table *table = &t->t[p];

    clear_bit(table->seeded, port);
    if (__atomic_sub_fetch(&table->refs[port], 1, __ATOMIC_SEQ_CST) == 0)
        clear_bit(table->busy, port);
}

void tables_keep(struct tables *t, const struct port_bits *which)
{
    uint32_t kept = 0, n = 0;

    for (unsigned port = 0; port < RPC_PORTS; port++) {
        bool member = t->t[RPC_TCP].member[port / 64] >> (port % 64) & 1;

        n += member;
        if (!member || !port_bits_has(which, (uint16_t)port))
            continue;
        kept++;
        for (int p = 0; p < _RPC_PROTO_MAX; p++)
            (void)tables_seed(t, (enum rpc_proto)p, (uint16_t)port); /* or somebody holds it */
    }
    for (unsigned p = 0; p < RPC_PROTOS; p++)
        __atomic_store_n(&t->t[p].n_ports, n - kept, __ATOMIC_RELAXED);
}

unsigned tables_repair_hints(struct tables *t)
{
    unsigned n = 0;

    for (unsigned p = 0; p < RPC_PROTOS; p++) {
        struct rpc_table *table = &t->t[p];

        for (unsigned i = 0; i < RPC_WORDS; i++) {
            uint64_t look = __atomic_load_n(&table->member[i], __ATOMIC_RELAXED) &
                            __atomic_load_n(&table->busy[i], __ATOMIC_RELAXED) &
                            ~__atomic_load_n(&table->limbo[i], __ATOMIC_RELAXED);

            for (; look; look &= look - 1) {
                uint16_t port = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(look));

                if (tables_refs(t, (enum rpc_proto)p, port) == 0) {
                    set_bit(table->limbo, port); /* the second pass finds it */
                    n++;
                }
            }
        }
    }
    return n;
}

uint32_t tables_reserve(const struct tables *t, enum rpc_proto p)
{
    uint32_t want = t->conf->reserve, half = t->t[p].n_ports / 2;

    if (want == RPC_RESERVE_AUTO) {
        want = (uint32_t)t->t[p].peak + RPC_RESERVE_MORE;
        if (want < RPC_RESERVE_MIN)
            want = RPC_RESERVE_MIN;
    }
    return want < half ? want : half;
}
