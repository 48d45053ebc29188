/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The worker thread of worker.h. Job and result travel over a socket pair of whole messages; the
 * thread owns the descriptors of a job from the moment it is sent. */
#include "worker.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

/* What map operations without batches answer (include/linux/errno.h); not in user space headers. */
enum { KERNEL_ENOTSUPP = 524 };

struct worker {
    pthread_t thread;
    int fd;      /* our end */
    int peer_fd; /* the thread's end */
};

struct result {
    uint32_t kind;
    int32_t error;
};

/* One call for all slots: one grace period instead of one each. Batches on arrays of maps came
 * with Linux 5.19. */
static int update(const struct worker_update *u)
{
    LIBBPF_OPTS(bpf_map_batch_opts, o);
    uint32_t n = u->n;

    if (n == 0)
        return 0;
    int r = bpf_map_update_batch(u->outer_fd, u->slot, u->fd, &n, &o);
    if (r != -KERNEL_ENOTSUPP && r != -EOPNOTSUPP)
        return r;
    r = 0;
    for (uint32_t i = 0; !r && i < u->n; i++)
        r = bpf_map_update_elem(u->outer_fd, &u->slot[i], &u->fd[i], BPF_ANY);
    return r;
}

static void close_update(const struct worker_update *u)
{
    for (uint32_t i = 0; i < u->n; i++)
        close(u->fd[i]);
    if (u->outer_fd >= 0)
        close(u->outer_fd);
}

static void *run(void *arg)
{
    int fd = *(int *)arg;
    struct worker_job *job = calloc(1, sizeof(*job));

    while (job && recv(fd, job, sizeof(*job), 0) == sizeof(*job)) {
        int r = update(&job->counters);

        if (!r)
            r = update(&job->roots);
        close_update(&job->counters);
        close_update(&job->roots);
        struct result result = {.kind = job->kind, .error = r};
        if (send(fd, &result, sizeof(result), MSG_NOSIGNAL) < 0)
            break; /* nobody is interested any more */
    }
    free(job);
    close(fd); /* without memory: the other end sees that nobody is here */
    return NULL;
}

int worker_new(struct worker **ret)
{
    _cleanup_free_ struct worker *w = calloc(1, sizeof(*w));
    sigset_t all, old;
    int pair[2];

    if (!w)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    w->fd = pair[0];
    w->peer_fd = pair[1];
    /* Signals are the event loop's: the thread inherits that all are blocked. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&w->thread, NULL, run, &w->peer_fd);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r) {
        close(pair[0]);
        close(pair[1]);
        return -r;
    }
    *ret = TAKE_PTR(w);
    return 0;
}

struct worker *worker_free(struct worker *w)
{
    if (!w)
        return NULL;
    shutdown(w->fd, SHUT_WR); /* the thread reads what is queued, then the end */
    pthread_join(w->thread, NULL);
    close(w->fd);
    free(w);
    return NULL;
}

void worker_freep(struct worker **w)
{
    *w = worker_free(*w);
}

static int copy_update(const struct worker_update *from, struct worker_update *to)
{
    if (from->n == 0)
        return 0;
    to->outer_fd = fcntl(from->outer_fd, F_DUPFD_CLOEXEC, 0);
    if (to->outer_fd < 0)
        return -errno;
    for (uint32_t i = 0; i < from->n; i++) {
        int fd = fcntl(from->fd[i], F_DUPFD_CLOEXEC, 0);

        if (fd < 0)
            return -errno;
        to->slot[i] = from->slot[i];
        to->fd[i] = fd;
        to->n = i + 1;
    }
    return 0;
}

int worker_submit(struct worker *w, const struct worker_job *job)
{
    _cleanup_free_ struct worker_job *copy = calloc(1, sizeof(*copy));

    if (!copy)
        return -ENOMEM;
    copy->kind = job->kind;
    copy->counters.outer_fd = copy->roots.outer_fd = -1;
    int r = copy_update(&job->counters, &copy->counters);
    if (!r)
        r = copy_update(&job->roots, &copy->roots);
    if (!r && send(w->fd, copy, sizeof(*copy), MSG_NOSIGNAL) < 0)
        r = -errno;
    if (r < 0) {
        close_update(&copy->counters);
        close_update(&copy->roots);
    }
    return r;
}

int worker_fd(const struct worker *w)
{
    return w->fd;
}

int worker_result(struct worker *w, uint32_t *ret_kind, int *ret_error)
{
    struct result result;
    ssize_t n = recv(w->fd, &result, sizeof(result), MSG_DONTWAIT);

    if (n < 0)
        return -errno;
    if (n != sizeof(result))
        return -EPIPE; /* the thread is gone */
    *ret_kind = result.kind;
    *ret_error = result.error;
    return 0;
}
