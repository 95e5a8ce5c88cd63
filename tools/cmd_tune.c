/* cmd_tune.c - compress tune: the options with which a recipe does best, found by trying; in several processes. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "change.h"
#include "failure.h"
#include "launcher.h"
#include "session.h"
#include "verbs.h"

extern char **environ;

enum { MOST_JOBS = 256 };

/* --- shares --- */

static bool read_share(const char *text, struct mc_share *share)
{
    char *end;
    const long k = strtol(text, &end, 10);
    if (*end != '/' || end == text) return false;
    const char *of = end + 1;
    const long n = strtol(of, &end, 10);
    if (*end || end == of || n < 1 || n > 100000 || k < 1 || k > n) return false;
    *share = (struct mc_share){(int)k - 1, (int)n};
    return true;
}

/* --- processes --- */

/* The words of this command for process k of n: the same, but for what only the first process does. */
static int spawn(const struct arguments *args, int k, int n, pid_t *pid)
{
    char share[32], threads[32];
    const int64_t all =
        argument_integer(args, "threads") > 0 ? argument_integer(args, "threads") : sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(share, sizeof share, "--share=%d/%d", k + 1, n);
    snprintf(threads, sizeof threads, "--threads=%lld", (long long)(all / n > 0 ? all / n : 1));
    const char **words = calloc((size_t)args->n_given * 2 + 8, sizeof *words);
    if (!words) return ENOMEM;
    int count = 0;
    words[count++] = "compress";
    words[count++] = "tune";
    words[count++] = "-q";
    words[count++] = share;
    words[count++] = threads;
    for (int i = 0; i < args->n_given; i++) {
        static const char *const own[] = {"jobs", "threads", "json", "quiet", "verbose", "force"};
        bool passed_on = true;
        for (size_t j = 0; j < sizeof own / sizeof *own; j++)
            if (strcmp(args->given[i].option->name, own[j]) == 0) passed_on = false;
        if (!passed_on) continue;
        words[count++] = args->given[i].as;
        if (args->given[i].option->kind != MC_OPTION_FLAG) words[count++] = args->given[i].text;
    }
    words[count++] = "--";
    words[count++] = args->operands[0];
    const int rc = posix_spawn(pid, "/proc/self/exe", NULL, NULL, (char *const *)(uintptr_t)words, environ);
    free(words);
    return rc;
}

/* The status with which a process ended, as one of ours. */
static int status_of(int wait_status)
{
    if (!WIFEXITED(wait_status)) return MC_ERR_SYSTEM;
    const int status = WEXITSTATUS(wait_status);
    return status <= 6 || status == 130 ? -status : MC_ERR_SYSTEM;
}

/* When one fails the others, which would wait for it, are stopped. */
static int run_jobs(const struct arguments *args, int n, struct mc_error *err)
{
    pid_t pids[MOST_JOBS];
    int begun = 0, rc = MC_OK;
    for (; begun < n; begun++) {
        const int failure = spawn(args, begun, n, &pids[begun]);
        if (failure == 0) continue;
        rc = fail(err, MC_ERR_SYSTEM, "--jobs: cannot start a process: %s", strerror(failure));
        break;
    }
    for (int left = begun; left > 0;) {
        int status;
        if (rc < 0)
            for (int i = 0; i < begun; i++)
                if (pids[i]) kill(pids[i], SIGTERM);
        const pid_t pid = wait(&status);
        if (pid < 0 && errno == EINTR) continue;
        if (pid < 0) break;
        left--;
        for (int i = 0; i < begun; i++)
            if (pids[i] == pid) pids[i] = 0;
        if (rc == MC_OK && status_of(status) < 0)
            rc = fail(err, status_of(status), "--jobs: one of the processes failed, as it has told");
    }
    return rc;
}

/* --- the verb --- */

static int load(const struct arguments *args, struct mc_recipe **recipe, struct mc_error *err)
{
    int rc = mc_recipe_load(recipe, args->operands[0], err);
    if (rc < 0) return rc;
    rc = change_set_all(args, *recipe, err);
    if (rc < 0) mc_recipe_destroy(*recipe);
    return rc;
}

static int search(const struct arguments *args, const struct mc_share *share, struct mc_error *err)
{
    struct mc_recipe *recipe;
    struct mc_record *record;
    struct mc_context context;
    int rc = load(args, &recipe, err);
    if (rc < 0) return rc;
    session_context(args, &context);
    rc =
        mc_recipe_tune(recipe, &context, argument_text(args, "out"), argument_flag(args, "force"), share, &record, err);
    session_clear_progress();
    mc_recipe_destroy(recipe);
    if (rc < 0) return rc;
    rc = share->share == 0 ? session_show(args, record, err) : MC_OK;
    mc_record_destroy(record);
    return rc;
}

static int tune(const struct arguments *args, struct mc_error *err)
{
    const char *text = argument_text(args, "share");
    const int64_t jobs = argument_integer(args, "jobs");
    struct mc_share share = {0, 1};
    if (text && !read_share(text, &share))
        return fail_usage(err, "tune", "--share: needs K/N, 1/4 say, has '%s'", text);
    if (!text && launcher_share(&share)) return search(args, &share, err);
    if (text || jobs <= 1) return search(args, &share, err);
    if (argument_flag(args, "force"))
        return fail_usage(err, "tune",
                          "--jobs: several processes cannot begin anew: take the file of results away first");
    const int rc = run_jobs(args, (int)jobs, err);
    return rc < 0 ? rc : search(args, &share, err); /* which finds all results there */
}

static const struct mc_option options[] = {
    CHANGE_SET_OPTION,
    {"out", MC_OPTION_TEXT, "DIR", NULL, NULL, NULL, NULL,
     "where results and the best recipe go; made if it is not there"},
    {"jobs", MC_OPTION_INTEGER, "N", "1", "[1, 256]", NULL, NULL,
     "so many processes, among which the threads are shared out"},
    {"share", MC_OPTION_TEXT, "K/N", NULL, NULL, NULL, NULL,
     "do one in N of the trials, the Kth, and wait for others that do the rest with the same file of results"},
    {0},
};

static const char *const tune_examples[] = {
    "compress tune search.yaml --out tuned",
    NULL,
};

const struct verb verb_tune = {
    .name = "tune",
    .operands = "RECIPE.yaml",
    .summary =
        "find the options with which a recipe does best: grid, random search, successive halving, cross-validation",
    .about =
        "The recipe's part 'tune' says what is varied and how; 'compress help tune' and docs/recipe.md tell of it.\n"
        "Results are added to a file as they come, and a search that was stopped or killed goes on from there. The\n"
        "table is the same however it was cut or shared out. Under mpirun or srun the processes share the trials.",
    .examples = tune_examples,
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .run = tune,
};
