/* SPDX-License-Identifier: GPL-2.0-or-later */
/* compat/agent_life.c: `net stop policyagent` and `net start policyagent` (windows.md 12).
 * Called by run.c once the change is made. With systemd and an installed unit, systemd is asked by
 * name; else the agent is stopped over its API, and started with the arguments that the last one
 * left in <runtime-dir>/agent.args. Invariant: nothing is run that root did not leave there. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "front.h"

enum { WAIT_MS = 10 * 1000, STEP_MS = 50, ARGS_BYTES = 64 * 1024, ARGS_MAX = 64 };

static void nap(void)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    (void)nanosleep(&step, NULL); /* woken early is as good */
}

/* The unit of the default instance, if systemd runs and knows it. */
static bool has_unit(const struct front *f)
{
    static const char *const dirs[] = {"/etc/systemd/system", "/run/systemd/system",
                                       "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                       "/lib/systemd/system"};
    if (strcmp(f->runtime_dir, "/run/portward") != 0 || access("/run/systemd/system", F_OK) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        char path[256];
        (void)snprintf(path, sizeof(path), "%s/portwardd.service", dirs[i]);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* Waits for a child; 0 if it ended well. */
static int wait_child(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int systemctl(const char *verb, struct diag *d)
{
    pid_t pid = fork();
    if (pid < 0)
        return diag_errno(d, errno, "cannot start systemctl");
    if (pid == 0) {
        (void)execlp("systemctl", "systemctl", verb, "portwardd.service", (char *)NULL);
        _exit(127);
    }
    if (wait_child(pid) == 0)
        return 0;
    int r = diag_fail(d, DIAG_SYSTEM, "systemctl %s portwardd.service failed", verb);
    diag_hint(d, "systemctl status portwardd.service");
    return r;
}

/* Whether the agent answers, asked with a short question. */
static bool answers(const struct front *f)
{
    _cleanup_json_ json_t *doc = NULL;
    return agent_ask(f, "GET", "/v1/state", NULL, NULL, &doc) == 0;
}

/* Gone, or dead and only not yet waited for by its parent: proc(5), field 3 of stat. */
static bool is_dead(pid_t pid)
{
    char path[64], text[512];
    if (pid <= 0)
        return true;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return true;
    text[n] = '\0';
    const char *state = strrchr(text, ')'); /* the name may hold anything, blanks, too */
    return state && state[1] == ' ' && (state[2] == 'Z' || state[2] == 'X');
}

int agent_stop(const struct front *f, struct diag *d)
{
    _cleanup_json_ json_t *doc = NULL;
    if (has_unit(f))
        return systemctl("stop", d);
    json_t *body = json_object();
    int err = body ? agent_ask(f, "POST", "/v1/stop", body, d, &doc) : -ENOMEM;
    if (err < 0)
        return err;
    pid_t pid = (pid_t)json_integer_value(json_object_get(json_object_get(doc, "data"), "pid"));
    for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
        if (is_dead(pid) && !answers(f))
            return 0;
        nap();
    }
    return diag_fail(d, DIAG_AGENT, "the agent was asked to stop and still runs (pid %ld)",
                     (long)pid);
}

/* Arguments that the last agent left; *ret_n 0: there are none. */
static int read_args(const struct front *f, char *buffer, char **argv, size_t *ret_n,
                     struct diag *d)
{
    char path[4200];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/agent.args", f->runtime_dir);
    _cleanup_(close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret_n = 0;
    if (fd < 0)
        return errno == ENOENT ? 0 : diag_errno(d, errno, "cannot read '%s'", path);
    if (fstat(fd, &st) < 0)
        return diag_errno(d, errno, "cannot read '%s'", path);
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077) != 0)
        return diag_fail(d, DIAG_PERMISSION, "'%s' is not root's alone, nothing is started from it",
                         path);
    ssize_t len = read(fd, buffer, ARGS_BYTES - 1);
    if (len < 0)
        return diag_errno(d, errno, "cannot read '%s'", path);
    buffer[len] = '\0';
    for (ssize_t at = 0; at < len && *ret_n < ARGS_MAX;) {
        argv[(*ret_n)++] = buffer + at;
        at += (ssize_t)strlen(buffer + at) + 1;
    }
    argv[*ret_n] = NULL;
    if (*ret_n > 0 && argv[0][0] != '/') /* started by a relative name from wherever it was */
        *ret_n = 0;
    return 0;
}

/* portwardd where it is installed, else beside the running program. */
static const char *find_daemon(char *buffer, size_t size)
{
    static const char *const places[] = {"/usr/sbin/portwardd", "/usr/local/sbin/portwardd"};
    ssize_t n = readlink("/proc/self/exe", buffer, size - 16);
    char *slash = NULL;
    if (n > 0) {
        buffer[n] = '\0';
        slash = strrchr(buffer, '/');
    }
    for (size_t i = 0; i < ARRAY_SIZE(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    if (!slash)
        return NULL;
    (void)strcpy(slash, "/portwardd"); /* 16 bytes were kept free */
    return access(buffer, X_OK) == 0 ? buffer : NULL;
}

/* A session of its own, nothing of ours open but /dev/null, parent not waited for. */
static void become_daemon(char *const *argv)
{
    int null_fd = open("/dev/null", O_RDWR);
    if (setsid() < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(null_fd, STDOUT_FILENO) < 0 || dup2(null_fd, STDERR_FILENO) < 0)
        _exit(126);
    if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0 || chdir("/") < 0)
        _exit(126);
    (void)signal(SIGPIPE, SIG_DFL); /* ignored here only */
    pid_t pid = fork();
    if (pid != 0)
        _exit(pid < 0 ? 126 : 0);
    (void)execv(argv[0], argv);
    _exit(127);
}

static int start_daemon(char *const *argv, struct diag *d)
{
    pid_t pid = fork();
    if (pid < 0)
        return diag_errno(d, errno, "cannot start '%s'", argv[0]);
    if (pid == 0)
        become_daemon(argv);
    int err = wait_child(pid);
    return err < 0 ? diag_errno(d, err, "cannot start '%s'", argv[0]) : 0;
}

static int wait_for_answer(const struct front *f, const char *program, struct diag *d)
{
    for (int waited = 0; waited < WAIT_MS; waited += STEP_MS) {
        if (answers(f))
            return 0;
        nap();
    }
    int r = diag_fail(d, DIAG_AGENT, "'%s' was started and does not answer", program);
    diag_hint(d, "%s --foreground --runtime-dir %s", program, f->runtime_dir);
    return r;
}

int agent_start_now(const struct front *f, struct diag *d)
{
    _cleanup_free_ char *buffer = malloc(ARGS_BYTES);
    char *argv[ARGS_MAX + 1], program[4200], dir_option[] = "--runtime-dir";
    char dir[sizeof(f->runtime_dir)];
    size_t n = 0;
    if (f->env->uid != 0)
        return diag_fail(d, DIAG_PERMISSION, "only root can start the agent");
    if (!buffer)
        return -ENOMEM;
    if (has_unit(f)) {
        int err = systemctl("start", d);
        return err < 0 ? err : wait_for_answer(f, "portwardd", d);
    }
    int err = read_args(f, buffer, argv, &n, d);
    if (err < 0)
        return err;
    if (n == 0) {
        const char *daemon = find_daemon(program, sizeof(program));
        if (!daemon) {
            err = diag_fail(d, DIAG_UNKNOWN_OBJECT, "no agent was started here");
            diag_hint(d, "portwardd --runtime-dir %s", f->runtime_dir);
            return err;
        }
        (void)snprintf(dir, sizeof(dir), "%s", f->runtime_dir);
        if (daemon != program)
            (void)snprintf(program, sizeof(program), "%s", daemon);
        argv[0] = program;
        argv[1] = dir_option;
        argv[2] = dir;
        argv[3] = NULL;
    }
    err = start_daemon(argv, d);
    return err < 0 ? err : wait_for_answer(f, argv[0], d);
}
