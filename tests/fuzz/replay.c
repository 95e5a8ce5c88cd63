/* replay.c - runs a fuzz target over the files of a folder, so that the corpus is an ordinary test without clang. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "fuzz.h"

static int is_file(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay(const char *folder, const char *name)
{
    struct mc_file_view file;
    struct mc_error err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (mc_file_open(&file, path, (size_t)1 << 24, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return -1;
    }
    printf("%s\n", path); /* the last line names the file that brought the target down */
    fflush(stdout);
    LLVMFuzzerTestOneInput(file.data, file.length);
    mc_file_close(&file);
    return 0;
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const int n = scandir(argv[1], &entries, is_file, alphasort);
    if (n <= 0) {
        fprintf(stderr, "no files in '%s'\n", argv[1]);
        return 1;
    }
    int passed = 0;
    for (int i = 0; i < n; i++) {
        passed += replay(argv[1], entries[i]->d_name) == 0;
        free(entries[i]);
    }
    free(entries);
    printf("%d passed, %d failed, 0 skipped\n", passed, n - passed);
    return passed != n;
}
