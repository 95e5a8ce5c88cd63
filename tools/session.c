/* session.c - context, progress, interrupt, results; see session.h. */
#include "session.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "launcher.h"

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

/* What a line of progress is drawn from: when the work it tells of began, and when it was drawn last. */
struct drawing {
    bool on;
    double last, began;
    int64_t first, first_samples; /* done when it was told first: not all of it in this process */
    char what[32];
};

/* "1:02:03", "2:03" */
static void draw_time(double seconds)
{
    const long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        fprintf(stderr, "  %lld:%02lld:%02lld left", s / 3600, s / 60 % 60, s % 60);
    else
        fprintf(stderr, "  %lld:%02lld left", s / 60, s % 60);
}

static void draw(const struct drawing *d, const struct mc_progress *at)
{
    enum { WIDTH = 24 };
    char bar[WIDTH + 1];
    const int filled = at->total > 0 ? (int)((double)at->done / (double)at->total * WIDTH) : 0;
    for (int i = 0; i < WIDTH; i++) bar[i] = i < filled ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%-10.10s [%s] %lld", at->what, bar, (long long)at->done);
    if (at->total > 0) fprintf(stderr, "/%lld", (long long)at->total);
    if (!isnan(at->loss)) fprintf(stderr, "  loss %.4f", at->loss);
    if (at->metric) fprintf(stderr, "  %s %.4f", at->metric, at->value);
    const double elapsed = now() - d->began;
    if (elapsed > 1 && at->samples > d->first_samples)
        fprintf(stderr, "  %.0f/s", (double)(at->samples - d->first_samples) / elapsed);
    if (elapsed > 1 && at->total > at->done && at->done > d->first)
        draw_time(elapsed * (double)(at->total - at->done) / (double)(at->done - d->first));
    fflush(stderr);
    line_on_screen = true;
}

/* At most ten times a second: drawing is not to cost time. */
static bool report(void *context, const struct mc_progress *at)
{
    struct drawing *d = context;
    const double t = now();
    if (d->on && (strcmp(d->what, at->what) != 0 || at->done < d->first)) {
        snprintf(d->what, sizeof d->what, "%s", at->what);
        d->began = t;
        d->first = at->done;
        d->first_samples = at->samples;
    }
    if (d->on && t - d->last > 0.1) {
        d->last = t;
        draw(d, at);
    }
    return !interrupted;
}

void session_clear_progress(void)
{
    if (line_on_screen) fputs("\r\033[K", stderr);
    line_on_screen = false;
}

/* A line of the log, with the time of day, beside what is on the screen. */
static void log_line(void *context, const char *line)
{
    (void)context;
    char when[16];
    const time_t seconds = time(NULL);
    struct tm local;
    strftime(when, sizeof when, "%H:%M:%S", localtime_r(&seconds, &local));
    session_clear_progress();
    fprintf(stderr, "%s %s\n", when, line);
}

void session_context(const struct arguments *args, struct mc_context *context)
{
    static struct drawing drawing;
    drawing.on = isatty(STDERR_FILENO) && !argument_flag(args, "quiet") && launcher_leads();
    mc_context_init(context);
    context->threads = (int)argument_integer(args, "threads");
    context->cpu = argument_text(args, "cpu");
    context->seed = (uint64_t)argument_integer(args, "seed");
    context->progress = report;
    context->progress_context = &drawing;
    if (argument_flag(args, "verbose")) context->log = log_line;
    catch_signals();
}

int session_join(struct mc_context *context, struct mc_error *err)
{
    const int rc = launcher_join(err);
    context->peers = launcher_peers();
    if (context->peers && !launcher_leads()) context->log = NULL; /* they all do the same: one tells of it */
    return rc;
}

int session_settle(const struct arguments *args, struct mc_model *model, struct mc_error *err)
{
    struct mc_error why = {0};
    const char *dims = argument_text(args, "dims");
    const int rc = dims ? mc_model_settle(model, dims, &why) : MC_OK;
    return rc < 0 ? fail(err, rc, "--dims: %s", why.text) : MC_OK;
}

/* --- results --- */

/* Every --report as it was given. */
static int save_reports(const struct arguments *args, const struct mc_record *record, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < args->n_given; i++) {
        enum mc_format format;
        if (strcmp(args->given[i].option->name, "report") != 0) continue;
        rc = mc_format_of_path(args->given[i].text, &format, err);
        if (rc == MC_OK) rc = mc_record_save(record, format, args->given[i].text, true, err);
    }
    return rc;
}

int session_check(const struct arguments *args, struct mc_error *err)
{
    for (int i = 0; i < args->n_given; i++) {
        enum mc_format format;
        struct mc_error why = {0};
        if (strcmp(args->given[i].option->name, "report") != 0) continue;
        if (mc_format_of_path(args->given[i].text, &format, &why) < 0)
            return fail_usage(err, args->verb->name, "--report: %s", why.text);
    }
    return MC_OK;
}

int session_show(const struct arguments *args, const struct mc_record *record, struct mc_error *err)
{
    session_clear_progress();
    if (launcher_peers() && !launcher_leads()) return MC_OK;
    const char *json = argument_text(args, "json");
    const bool to_stdout = json && strcmp(json, "-") == 0;
    const int saved = save_reports(args, record, err);
    if (saved < 0) return saved;
    if (to_stdout) return mc_record_print(record, MC_FORMAT_JSON, stdout, err);
    if (json) {
        const int rc = mc_record_save(record, MC_FORMAT_JSON, json, true, err);
        if (rc < 0) return rc;
    }
    if (argument_flag(args, "quiet")) return MC_OK;
    return mc_record_print(record, argument_flag(args, "verbose") ? MC_FORMAT_DETAILS : MC_FORMAT_TABLE, stdout, err);
}
