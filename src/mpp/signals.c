/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See signals.h. The files of the thread's own network namespace are read below /proc/thread-self:
 * /proc/self would be that of the process's first thread. */
#include "signals.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

enum { FILE_BYTES = 16384, FD_LOOK_AT = 256, FD_WORTH_PERCENT = 40, FD_HURRY_PERCENT = 75 };

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t); /* cannot fail with these clocks */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t mpp_now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t mpp_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* --- parsers --- */

/* The number behind " word " in the line; -EBADMSG. */
static int number_after(const char *line, const char *word, uint64_t *ret)
{
    size_t len = strlen(word);
    const char *end = strchr(line, '\n');

    for (const char *p = line; (p = strstr(p, word)); p += len) {
        if (end && p > end)
            break;
        if (p > line && p[-1] == ' ' && p[len] == ' ')
            return sscanf(p + len, "%" SCNu64, ret) == 1 ? 0 : -EBADMSG;
    }
    return -EBADMSG;
}

int mpp_parse_sockstat(const char *text, struct mpp_signals *s)
{
    const char *line = strstr(text, "TCP:");

    if (!line)
        return -EBADMSG;
    int r = number_after(line, "inuse", &s->inuse);
    if (!r)
        r = number_after(line, "alloc", &s->alloc);
    return r ? r : number_after(line, "mem", &s->mem);
}

/* Connections of listeners for both families are counted there, whatever family they are of. */
void mpp_add_sockstat6(const char *text, struct mpp_signals *s)
{
    const char *line = strstr(text, "TCP6:");
    uint64_t n;

    if (line && number_after(line, "inuse", &n) == 0)
        s->inuse += n;
}

int mpp_parse_tcp_mem(const char *text, struct mpp_signals *s)
{
    uint64_t v[3];

    if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &v[0], &v[1], &v[2]) != 3 || v[1] < 4 ||
        v[2] < v[1] || v[2] > UINT32_MAX)
        return -EBADMSG;
    memcpy(s->limits, v, sizeof(v));
    return 0;
}

static void add_counter(struct mpp_signals *s, const char *name, size_t len, uint64_t n)
{
    const struct {
        const char *name;
        uint64_t *to;
    } known[] = {{"TCPAbortOnMemory", &s->aborts},     {"ListenOverflows", &s->overflows},
                 {"ListenDrops", &s->overflows},       {"TCPReqQFullDrop", &s->queue_full},
                 {"SyncookiesSent", &s->cookies_sent}, {"SyncookiesRecv", &s->cookies_back}};

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strlen(known[i].name) == len && memcmp(name, known[i].name, len) == 0)
            *known[i].to += n;
}

/* The next word of a line; NULL behind the last one. */
static const char *next_word(const char **at, size_t *ret_len)
{
    const char *p = *at + strspn(*at, " ");
    size_t len = strcspn(p, " \n");

    *at = p + len;
    *ret_len = len;
    return len ? p : NULL;
}

int mpp_parse_netstat(const char *text, struct mpp_signals *s)
{
    const char *names = strstr(text, "TcpExt:");
    const char *numbers = names ? strstr(names + 1, "TcpExt:") : NULL;
    size_t name_len, number_len;

    if (!numbers)
        return -EBADMSG;
    s->aborts = s->overflows = s->queue_full = s->cookies_sent = s->cookies_back = 0;
    names += strlen("TcpExt:");
    numbers += strlen("TcpExt:");
    for (;;) {
        const char *name = next_word(&names, &name_len);
        const char *number = next_word(&numbers, &number_len);
        uint64_t n;
        if (!name || !number)
            return 0;
        if (sscanf(number, "%" SCNu64, &n) == 1)
            add_counter(s, name, name_len, n);
    }
}

/* --- files --- */

static int read_text(const char *path, char text[FILE_BYTES])
{
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;

    if (fd < 0)
        return -errno;
    while (n < FILE_BYTES - 1) {
        ssize_t got = read(fd, text + n, FILE_BYTES - 1 - n);
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    text[n] = '\0';
    return 0;
}

static void read_available(struct mpp_signals *s)
{
    char text[FILE_BYTES];
    const char *line;
    uint64_t kib;

    s->available = UINT64_MAX; /* not known: no symptom */
    if (read_text("/proc/meminfo", text) == 0 && (line = strstr(text, "MemAvailable:")) &&
        sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
        s->available = kib * 1024;
}

static void closedirp(DIR **d)
{
    if (*d)
        closedir(*d);
}

static uint64_t inode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) < 0 ? 0 : (uint64_t)st.st_ino;
}

/* Of one process: how full its table of descriptors is. Before Linux 6.2 the size is 0. */
static unsigned fd_percent_of(const char *pid, uint64_t netns)
{
    char path[64];
    struct stat st;
    struct rlimit limit;

    (void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid); /* fits */
    if (stat(path, &st) < 0 || st.st_size < FD_LOOK_AT)
        return 0;
    if (prlimit((pid_t)atoi(pid), RLIMIT_NOFILE, NULL, &limit) < 0 || !limit.rlim_cur)
        return 0;
    uint64_t percent = (uint64_t)st.st_size * 100 / limit.rlim_cur;
    if (percent < FD_WORTH_PERCENT)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%.16s/ns/net", pid); /* fits */
    return inode_of(path) == netns ? (unsigned)(percent > 100 ? 100 : percent) : 0;
}

static unsigned fullest_table(void)
{
    _cleanup_(closedirp) DIR *proc = opendir("/proc");
    uint64_t netns = inode_of("/proc/thread-self/ns/net");
    unsigned most = 0;

    if (!proc || !netns)
        return 0;
    for (struct dirent *e; (e = readdir(proc));) {
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        unsigned percent = fd_percent_of(e->d_name, netns);
        if (percent > most)
            most = percent;
    }
    return most;
}

/* /proc shows the limits in the first network namespace alone. */
static int read_limits(struct mpp_reader *r)
{
    char text[FILE_BYTES];
    int err = read_text("/proc/sys/net/ipv4/tcp_mem", text);

    if (!err)
        return mpp_parse_tcp_mem(text, &r->s);
    if (err != -ENOENT || r->limits_prog < 0)
        return err;
    return kern_limits(r->limits_prog, r->s.limits);
}

int mpp_read_signals(struct mpp_reader *r)
{
    char text[FILE_BYTES];
    struct mpp_signals *s = &r->s;

    uint64_t before = s->inuse;

    s->now_ns = mpp_now_ns();
    s->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    int err = read_text("/proc/thread-self/net/sockstat", text);
    if (!err)
        err = mpp_parse_sockstat(text, s);
    if (!err)
        err = read_limits(r);
    if (err < 0)
        return err;
    if (read_text("/proc/thread-self/net/sockstat6", text) == 0)
        mpp_add_sockstat6(text, s);
    if (read_text("/proc/thread-self/net/netstat", text) < 0 || mpp_parse_netstat(text, s) < 0)
        s->aborts = s->overflows = s->queue_full = s->cookies_sent = s->cookies_back = 0;
    bool hurry = s->fd_percent >= FD_HURRY_PERCENT || s->inuse > before + 12;
    uint64_t every = hurry ? 200000000 : 1000000000;
    if (s->now_ns - r->fd_looked_ns >= every) {
        r->fd_looked_ns = s->now_ns;
        s->fd_percent = s->inuse >= FD_LOOK_AT ? fullest_table() : 0;
        read_available(s);
    }
    return 0;
}
