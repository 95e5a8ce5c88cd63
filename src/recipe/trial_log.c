/* trial_log.c - the file of a search's results; see trial_log.h. */
#include "recipe/trial_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"

enum { HEAD_ROOM = 64 };
#define NAMES "round\ttrial\tfold\tvalue\tloss\tseconds\tbytes\n"

/* --- reading --- */

static bool read_index(const char **at, int *index)
{
    char *end;
    if (**at < '0' || **at > '9') return false;
    const long value = strtol(*at, &end, 10);
    if (value > INT_MAX || *end != '\t') return false;
    *index = (int)value;
    *at = end + 1;
    return true;
}

static bool read_real(const char **at, char behind, double *number)
{
    char *end;
    if (strchr(" \t\n\v\f\r", **at)) return false; /* which strtod would skip */
    *number = strtod(*at, &end);
    if (*end != behind) return false;
    *at = end + 1;
    return true;
}

static bool read_line(const char *line, struct mc_trial_result *r)
{
    return read_index(&line, &r->round) && read_index(&line, &r->trial) && read_index(&line, &r->fold) &&
           read_real(&line, '\t', &r->value) && read_real(&line, '\t', &r->loss) &&
           read_real(&line, '\t', &r->seconds) && read_real(&line, '\0', &r->bytes);
}

const struct mc_trial_result *mc_trial_log_find(const struct mc_trial_log *log, int round, int trial, int fold)
{
    for (size_t i = 0; i < log->n; i++) {
        const struct mc_trial_result *r = &log->results[i];
        if (r->trial == trial && r->fold == fold && r->round == round) return r;
    }
    return NULL;
}

static bool keep(struct mc_trial_log *log, const struct mc_trial_result *result)
{
    if (mc_trial_log_find(log, result->round, result->trial, result->fold)) return true;
    if (!mc_grow((void **)&log->results, log->n, &log->capacity, sizeof *log->results)) return false;
    log->results[log->n++] = *result;
    return true;
}

/* The first line up to the key, into `head`. Returns its length. */
static size_t begin_head(const struct mc_trial_log *log, char head[static HEAD_ROOM])
{
    return (size_t)snprintf(head, HEAD_ROOM, "# compress %s 2 ", log->verb);
}

static int check_head(const struct mc_trial_log *log, const char *line, struct mc_error *err)
{
    char *end, head[HEAD_ROOM];
    const size_t length = begin_head(log, head);
    if (strncmp(line, head, length) != 0 || strlen(line) != length + 16)
        return mc_error_set(err, MC_ERR_INPUT, "line 1: has no results of '%s'", log->verb);
    const uint64_t key = strtoull(line + length, &end, 16);
    if (*end) return mc_error_set(err, MC_ERR_INPUT, "line 1: has no results of '%s'", log->verb);
    if (key == log->key) return MC_OK;
    mc_error_set(err, MC_ERR_USAGE, "it has the results of other models, data or options");
    mc_error_hint(err, "-f begins anew");
    return MC_ERR_USAGE;
}

static int parse_line(struct mc_trial_log *log, int64_t number, const char *line, struct mc_error *err)
{
    struct mc_trial_result result;
    if (number == 1) return check_head(log, line, err);
    if (number == 2 && strncmp(line, NAMES, strlen(line)) == 0 && strlen(line) + 1 == strlen(NAMES)) return MC_OK;
    if (number == 2 || !read_line(line, &result))
        return mc_error_set(err, MC_ERR_INPUT, "line %" PRId64 ": is no result of a trial", number);
    return keep(log, &result) ? MC_OK : mc_error_memory(err);
}

int mc_trial_log_parse(struct mc_trial_log *log, const char *text, size_t length, size_t *whole, struct mc_error *err)
{
    int64_t number = 0;
    *whole = 0;
    log->n = 0;
    for (const char *end; (end = memchr(text + *whole, '\n', length - *whole)) != NULL;) {
        char line[256];
        const size_t n = (size_t)(end - (text + *whole));
        number++;
        if (n >= sizeof line || memchr(text + *whole, '\0', n))
            return mc_error_set(err, MC_ERR_INPUT, "line %" PRId64 ": is no result of a trial", number);
        memcpy(line, text + *whole, n);
        line[n] = '\0';
        const int rc = parse_line(log, number, line, err);
        if (rc < 0) return rc;
        *whole += n + 1;
    }
    char head[HEAD_ROOM];
    const size_t rest = length - *whole, n = begin_head(log, head);
    if (number == 0 && memcmp(text, head, rest < n ? rest : n) != 0)
        return mc_error_set(err, MC_ERR_INPUT, "line 1: has no results of '%s'", log->verb);
    return MC_OK;
}

static int read_file(struct mc_trial_log *log, size_t *whole, struct mc_error *err)
{
    struct mc_file_view view;
    int rc = mc_file_open(&view, log->path, MC_TRIAL_LOG_MAX_BYTES, err);
    if (rc < 0) return rc;
    rc = mc_trial_log_parse(log, view.data ? (const char *)view.data : "", view.length, whole, err);
    mc_file_close(&view);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", log->path) : MC_OK;
}

int mc_trial_log_read(struct mc_trial_log *log, struct mc_error *err)
{
    size_t whole;
    return read_file(log, &whole, err);
}

/* --- writing --- */

static int fail(const struct mc_trial_log *log, const char *what, struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_SYSTEM, "cannot %s '%s': %s", what, log->path, strerror(errno));
}

/* Others wait while one writes. (A lock of fcntl would be gone as soon as read_file closes the file.) */
static int lock(const struct mc_trial_log *log, int operation)
{
    int rc;
    do {
        rc = flock(log->fd, operation);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

/* A line in one piece, on the disk when this returns. */
static int write_text(struct mc_trial_log *log, const char *text, struct mc_error *err)
{
    const size_t length = strlen(text);
    const bool ok = write(log->fd, text, length) == (ssize_t)length && fsync(log->fd) == 0;
    return ok ? MC_OK : fail(log, "write to", err);
}

/* With the file locked: whole lines stay, and if there are none yet, the first two are written. */
static int begin(struct mc_trial_log *log, bool anew, struct mc_error *err)
{
    size_t whole = 0;
    const int rc = anew ? MC_OK : read_file(log, &whole, err);
    if (rc < 0) return rc;
    char head[HEAD_ROOM], line[2 * HEAD_ROOM + sizeof NAMES];
    begin_head(log, head);
    snprintf(line, sizeof line, "%s%016" PRIx64 "\n" NAMES, head, log->key);
    if (whole < strlen(line)) whole = 0;
    if (ftruncate(log->fd, (off_t)whole) < 0) return fail(log, "shorten", err);
    if (whole > 0) return MC_OK;
    return write_text(log, line, err);
}

int mc_trial_log_open(struct mc_trial_log *log, const char *verb, const char *path, uint64_t key, bool anew,
                      struct mc_error *err)
{
    *log = (struct mc_trial_log){.verb = verb, .fd = -1, .key = key, .path = mc_path_join(NULL, path)};
    if (!log->path) return mc_error_memory(err);
    log->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (log->fd < 0 || lock(log, LOCK_EX) < 0) return fail(log, "open", err);
    const int rc = begin(log, anew, err);
    lock(log, LOCK_UN);
    return rc;
}

int mc_trial_log_add(struct mc_trial_log *log, const struct mc_trial_result *r, struct mc_error *err)
{
    char line[256];
    snprintf(line, sizeof line, "%d\t%d\t%d\t%.17g\t%.17g\t%.3f\t%.17g\n", r->round, r->trial, r->fold,
             isnan(r->value) ? (double)NAN : r->value, isnan(r->loss) ? (double)NAN : r->loss, r->seconds, r->bytes);
    if (lock(log, LOCK_EX) < 0) return fail(log, "lock", err);
    const int rc = write_text(log, line, err);
    lock(log, LOCK_UN);
    if (rc < 0) return rc;
    return keep(log, r) ? MC_OK : mc_error_memory(err);
}

void mc_trial_log_finish(struct mc_trial_log *log)
{
    if (log->fd >= 0) close(log->fd);
    mc_free(log->path);
    mc_free(log->results);
    *log = (struct mc_trial_log){.fd = -1};
}
