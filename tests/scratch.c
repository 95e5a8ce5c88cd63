/* scratch.c - see scratch.h. *state points to the path, which is the first member of a struct scratch. */
#include "scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 64, MAX_PATH = 512 };

struct scratch {
    char folder[MAX_PATH];
    int n_names;
    char names[MAX_NAMES][MAX_PATH];
};

int scratch_setup(void **state)
{
    struct scratch *s = calloc(1, sizeof *s);
    if (!s) return -1;
    const char *parent = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%s/compress-test.XXXXXX", parent ? parent : "/tmp");
    *state = s;
    return mkdtemp(s->folder) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info, (void)kind, (void)where;
    return remove(path);
}

int scratch_teardown(void **state)
{
    struct scratch *s = *state;
    const int rc = nftw(s->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(s);
    return rc;
}

const char *scratch_path(void **state, const char *name)
{
    struct scratch *s = *state;
    assert_true(s->n_names < MAX_NAMES);
    char *path = s->names[s->n_names++];
    assert_true(strlen(s->folder) + strlen(name) + 2 <= MAX_PATH);
    strcpy(path, s->folder);
    strcat(strcat(path, "/"), name);
    return path;
}

const char *scratch_file(void **state, const char *name, const void *bytes, size_t length)
{
    const char *path = scratch_path(state, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
    return path;
}

int scratch_count(void **state)
{
    struct scratch *s = *state;
    DIR *dir = opendir(s->folder);
    assert_non_null(dir);
    int n = 0;
    for (struct dirent *e; (e = readdir(dir));) n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}
