/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a policy of N filters takes to become a verified image, and how large that is. Called
 * by bench-compile.sh, which puts it beside nft.
 *   bench-compile N            prints "milliseconds bytes-per-filter"
 *   bench-compile N set|chain  prints the same filters as an nft ruleset */
#include <time.h>

#include "bench-set.h"

enum { MIN_RUNS = 5 };

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int print_compile(const struct bench_set *s)
{
    double best = 0;
    struct compile_stats stats = {0};
    for (unsigned run = 0; run < MIN_RUNS; run++) {
        struct compile_options o = {.generation = run + 1, .seed = 1 + run};
        struct image img;
        struct diag d = {0};
        double start = now_ms();
        if (compile_image(&s->e, &o, &d, &img, &stats) < 0) {
            fprintf(stderr, "bench-compile: %s\n", d.message);
            return 1;
        }
        double ms = now_ms() - start;
        best = run == 0 || ms < best ? ms : best;
        image_done(&img);
    }
    printf("%.3f %.1f\n", best, (double)stats.size_bytes / (double)s->e.n);
    return 0;
}

static void print_match(const struct filter *f, const char *between)
{
    char ip[IP_TEXT_BYTES];
    ip_print(FAMILY_4, f->src.first, ip);
    printf("%s%s%u", ip, between, f->dport.range[0].first);
}

static int print_nft(const struct bench_set *s, bool set)
{
    printf("table inet bench {\n");
    if (set) {
        printf("set s {\ntype ipv4_addr . inet_service\nelements = {");
        for (size_t i = 0; i < s->e.n; i++) {
            printf(i > 0 ? ",\n" : "\n");
            print_match(&s->filter[i], " . ");
        }
        printf("}\n}\n");
    }
    printf("chain c {\ntype filter hook input priority 0; policy accept;\n");
    for (size_t i = 0; i < s->e.n && !set; i++) {
        printf("ip saddr ");
        print_match(&s->filter[i], " tcp dport ");
        printf(" counter drop\n");
    }
    printf("%s}\n}\n", set ? "ip saddr . tcp dport @s drop\n" : "");
    return 0;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 0;
    if (n < 1) {
        fprintf(stderr, "bench-compile: use: bench-compile N [set|chain]\n");
        return 2;
    }
    struct bench_set s;
    int r = 1;
    if (bench_set_init(&s, (uint32_t)n))
        r = argc > 2 ? print_nft(&s, strcmp(argv[2], "set") == 0) : print_compile(&s);
    bench_set_done(&s);
    return r;
}
