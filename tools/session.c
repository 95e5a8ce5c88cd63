/* session.c - context, progress, interrupt, results; see session.h. */
#include "session.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"

/* Signal handlers reach nothing but globals: this one, and what is on the screen. */
static volatile sig_atomic_t interrupted;
static bool line_on_screen;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* --- progress --- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void draw(const char *what, int64_t done, int64_t total, double loss)
{
    enum { WIDTH = 30 };
    char bar[WIDTH + 1];
    const int filled = total > 0 ? (int)((double)done / (double)total * WIDTH) : 0;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%-10.10s [%s] %lld", what, bar, (long long)done);
    if (total > 0) fprintf(stderr, "/%lld", (long long)total);
    if (!isnan(loss)) fprintf(stderr, "  loss %.4f", loss);
    fflush(stderr);
    line_on_screen = true;
}

/* At most ten times a second: drawing is not to cost time. */
static bool report(void *context, const char *what, int64_t done, int64_t total, double loss)
{
    static double last;
    const bool *drawing = context;
    const double t = now();
    if (*drawing && t - last > 0.1) {
        last = t;
        draw(what, done, total, loss);
    }
    return !interrupted;
}

void session_clear_progress(void)
{
    if (line_on_screen) fputs("\r\033[K", stderr);
    line_on_screen = false;
}

void session_context(const struct arguments *args, struct mc_context *context)
{
    static bool drawing;
    drawing = isatty(STDERR_FILENO) && !argument_flag(args, "quiet");
    mc_context_init(context);
    context->threads = (int)argument_integer(args, "threads");
    context->cpu = argument_text(args, "cpu");
    context->seed = (uint64_t)argument_integer(args, "seed");
    context->progress = report;
    context->progress_context = &drawing;
    catch_signals();
}

int session_settle(const struct arguments *args, struct mc_model *model, struct mc_error *err)
{
    struct mc_error why = {0};
    const char *dims = argument_text(args, "dims");
    const int rc = dims ? mc_model_settle(model, dims, &why) : MC_OK;
    return rc < 0 ? fail(err, rc, "--dims: %s", why.text) : MC_OK;
}

/* --- results --- */

int session_show(const struct arguments *args, const struct mc_record *record, struct mc_error *err)
{
    session_clear_progress();
    const char *json = argument_text(args, "json");
    const bool to_stdout = json && strcmp(json, "-") == 0;
    if (to_stdout) return mc_record_print(record, MC_FORMAT_JSON, stdout, err);
    if (json) {
        const int rc = mc_record_save(record, MC_FORMAT_JSON, json, true, err);
        if (rc < 0) return rc;
    }
    if (argument_flag(args, "quiet")) return MC_OK;
    return mc_record_print(record, argument_flag(args, "verbose") ? MC_FORMAT_DETAILS : MC_FORMAT_TABLE, stdout, err);
}
