/* main.c - the command: find the verb, parse its words, run it, tell what went wrong. */
#include <string.h>
#include <sys/resource.h>

#include "failure.h"
#include "help.h"
#include "launcher.h"
#include "session.h"
#include "verbs.h"

const struct verb *const verbs[] = {
    &verb_init,    &verb_apply,   &verb_train,    &verb_finetune,    &verb_prune, &verb_factorize,
    &verb_distill, &verb_cluster, &verb_quantize, &verb_optimize,    &verb_tune,  &verb_pack,
    &verb_unpack,  &verb_eval,    &verb_compare,  &verb_sensitivity, &verb_info,  &verb_run,
    &verb_bench,   &verb_report,  &verb_help,     &verb_version,     NULL,
};

const struct verb *verb_find(const char *name, struct mc_error *err)
{
    const char *names[32];
    size_t n = 0;
    for (; verbs[n]; n++) {
        if (strcmp(verbs[n]->name, name) == 0) return verbs[n];
        names[n] = verbs[n]->name;
    }
    const char *nearest = mc_suggest(name, names, n);
    fail(err, MC_ERR_USAGE, "unknown verb '%s'%s%s%s", name, nearest ? " (did you mean '" : "", nearest ? nearest : "",
         nearest ? "'?)" : "");
    snprintf(err->hint, sizeof err->hint, "compress help");
    return NULL;
}

/* "--help" and "--version" before any verb are the verbs of that name. */
static const char *verb_name(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return "help";
    if (strcmp(word, "--version") == 0) return "version";
    return word;
}

static int run(int n_words, char **words, struct mc_error *err)
{
    const struct verb *verb = verb_find(verb_name(words[0]), err);
    if (!verb) return MC_ERR_USAGE;
    struct arguments args;
    int rc = arguments_parse(&args, verb, n_words - 1, words + 1, err);
    if (rc == MC_OK) rc = session_check(&args, err);
    if (rc == MC_OK) rc = argument_flag(&args, "help") ? help_print_verb(verb, err) : verb->run(&args, err);
    arguments_finish(&args);
    launcher_leave(rc);
    return rc;
}

/* A hint may have several lines: the line of a recipe and a mark under it. */
static void print_hint(const char *hint)
{
    while (*hint) {
        const size_t length = strcspn(hint, "\n");
        fprintf(stderr, "  %.*s\n", (int)length, hint);
        hint += length + (hint[length] == '\n');
    }
}

/* Processes that work together fail alike, and one is enough to say it. */
static bool speaks(const char *name)
{
    struct mc_error unknown;
    const struct verb *verb = verb_find(verb_name(name), &unknown);
    return launcher_leads() || (verb && !verb->joins);
}

/* As many open files as the system lets us have: a model may have its tensors in a file each. */
static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max) return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
    struct mc_error err = {0};
    raise_files();
    if (argc < 2) {
        fputs("compress: needs a verb\n  compress help\n", stderr);
        return -MC_ERR_USAGE;
    }
    const int rc = run(argc - 1, argv + 1, &err);
    session_clear_progress();
    if (rc == MC_OK) return 0;
    if (speaks(argv[1])) {
        fprintf(stderr, "compress: %s\n", err.text);
        print_hint(err.hint);
    }
    return -rc;
}
