/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay.c: runs a fuzz target over stored inputs, so that what the fuzzer once found stays
 * tested without a fuzzer. Arguments are files or directories; every regular file in them is one
 * input. The name of an input is printed before it runs if REPLAY_VERBOSE is set. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_BYTES = 16 * 1024 * 1024 };

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }
    uint8_t *data = malloc(INPUT_BYTES);
    size_t n = data ? fread(data, 1, INPUT_BYTES, f) : 0;
    (void)fclose(f); /* only read */
    /* An exact copy, so that the address sanitizer sees each byte read too far. */
    uint8_t *exact = malloc(n > 0 ? n : 1);
    if (data && exact) {
        for (size_t i = 0; i < n; i++)
            exact[i] = data[i];
        if (getenv("REPLAY_VERBOSE"))
            (void)fprintf(stderr, "%s\n", path);
        (void)LLVMFuzzerTestOneInput(exact, n); /* 0 by contract, faults abort */
    }
    int result = data && exact ? 0 : -1;
    free(exact);
    free(data);
    return result;
}

/* Number of inputs run, negative if one could not be read. */
static int run_directory(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), n_run = 0;
    if (n < 0) {
        perror(path);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        struct stat st;
        (void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
        free(entries[i]);
        if (n_run < 0 || stat(file, &st) < 0 || !S_ISREG(st.st_mode))
            continue;
        n_run = run_file(file) < 0 ? -1 : n_run + 1;
    }
    free(entries);
    return n_run;
}

int main(int argc, char **argv)
{
    int n_run = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        int n = stat(argv[i], &st) == 0 && S_ISREG(st.st_mode) ? (run_file(argv[i]) < 0 ? -1 : 1)
                                                               : run_directory(argv[i]);
        if (n < 0)
            return 1;
        n_run += n;
    }
    printf("%d inputs\n", n_run);
    return n_run > 0 ? 0 : 1;
}
