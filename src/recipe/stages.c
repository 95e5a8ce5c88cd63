/* stages.c - the run directory; see stages.h. */
#include "recipe/stages.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/archive.h"
#include "base/error.h"
#include "kernel/kernels.h"
#include "onnx/onnx.h"
#include "recipe/context.h"
#include "recipe/fingerprint.h"
#include "recipe/run_state.h"
#include "report/print.h"

enum { PATH_ROOM = 64, MOST_ENTRIES = 8 };
static const size_t max_bytes = (size_t)4 << 30;

/* --- the folder --- */

/* DIR/run/name in fresh memory. */
static char *path_of(const struct mc_stages *s, const char *name)
{
    return mc_path_join(s->dir, name);
}

static char *path_of_key(const struct mc_stages *s, int stage, const char *kind)
{
    char name[PATH_ROOM];
    snprintf(name, sizeof name, "%016" PRIx64 ".%s", s->key[stage], kind);
    return path_of(s, name);
}

static bool is_kept(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot && dot - name == 16 && (strcmp(dot, ".step") == 0 || strcmp(dot, ".training") == 0);
}

/* Is it what a writer left that was killed, of a file that is kept? */
static bool is_left_over(const char *name)
{
    const size_t length = strlen(name);
    return length > 4 && strcmp(name + length - 4, ".tmp") == 0;
}

static bool is_of_stages(const struct mc_stages *s, const char *name, int n_steps)
{
    char own[PATH_ROOM];
    for (int i = 0; i <= n_steps; i++) {
        snprintf(own, sizeof own, "%016" PRIx64 ".step", s->key[i]);
        if (strcmp(own, name) == 0) return true;
    }
    return false;
}

/* Take away what a run keeps, save the stages 0 … n_steps (none for -1); how many files there were of that kind. With
 * `look` nothing is taken away. */
static int clear(const struct mc_stages *s, int n_steps, bool look)
{
    DIR *dir = opendir(s->dir);
    int n = 0;
    if (!dir) return 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        const bool kept = is_kept(entry->d_name);
        if ((!kept && !is_left_over(entry->d_name)) || is_of_stages(s, entry->d_name, n_steps)) continue;
        n += kept;
        if (!look) unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return n;
}

static int make_dir(const char *path, struct mc_error *err)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? MC_OK : mc_error_writing(err, errno, "create", path);
}

static int lock(struct mc_stages *s, struct mc_error *err)
{
    char *path = path_of(s, "log");
    if (!path) return mc_error_memory(err);
    s->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int rc = s->log_fd >= 0 ? MC_OK : mc_error_writing(err, errno, "create", path);
    if (rc == MC_OK && flock(s->log_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        rc = mc_error_set(err, MC_ERR_USAGE, "another run is at work in '%s'", s->dir);
    mc_free(path);
    return rc;
}

int mc_stages_open(struct mc_stages *s, const char *out_dir, bool resume, bool overwrite, struct mc_error *err)
{
    *s = (struct mc_stages){.resume = resume, .log_fd = -1};
    s->dir = mc_path_join(out_dir, "run");
    if (!s->dir) return mc_error_memory(err);
    int rc = make_dir(out_dir, err);
    if (rc == MC_OK) rc = make_dir(s->dir, err);
    if (rc == MC_OK) rc = lock(s, err);
    if (rc < 0 || resume) return rc;
    if (!overwrite && clear(s, -1, true) > 0) {
        mc_error_set(err, MC_ERR_USAGE, "'%s' has what a run that did not end has done", s->dir);
        mc_error_hint(err, "--resume goes on from it, -f begins anew");
        return MC_ERR_USAGE;
    }
    clear(s, -1, false);
    return MC_OK;
}

void mc_stages_finish(struct mc_stages *s)
{
    if (s->dir && s->log_fd >= 0) close(s->log_fd); /* and so the lock */
    mc_free(s->dir);
    *s = (struct mc_stages){.log_fd = -1};
}

/* --- keys --- */

/* The options that apply, and the models that they name. */
static int add_settings(struct mc_hash *h, const struct mc_settings *settings, struct mc_error *err)
{
    int rc = MC_OK;
    for (size_t i = 0; i < settings->n && rc == MC_OK; i++) {
        const struct mc_setting *setting = &settings->values[i];
        if (!setting->present) continue;
        mc_fingerprint_text(h, settings->options[i].name);
        mc_fingerprint_text(h, setting->path ? "" : setting->text);
        if (setting->path && setting->model) rc = mc_fingerprint_model(h, setting->model, err);
    }
    return rc;
}

/* Top-level settings that results depend on; the model and the data are there themselves. */
static void add_top(struct mc_hash *h, const struct mc_settings *top)
{
    static const char *const names[] = {"dims", "head", "measure"};
    for (size_t i = 0; i < MC_COUNT(names); i++)
        mc_fingerprint_text(h, mc_settings_present(top, names[i]) ? mc_settings_text(top, names[i]) : "");
}

static int find_keys(struct mc_stages *s, const struct mc_run *run, struct mc_error *err)
{
    struct mc_hash h;
    mc_hash_init(&h, 0);
    mc_fingerprint_text(&h, "compress " MC_VERSION " stage 1");
    mc_fingerprint_text(&h, mc_cpu_name(run->job.runtime.kernels->cpu));
    mc_fingerprint_numbers(&h, (uint64_t)run->job.runtime.n_threads, run->seed);
    add_top(&h, &run->work.top);
    int rc = mc_fingerprint_model(&h, run->job.model, err);
    if (rc == MC_OK && run->data) rc = mc_fingerprint_data(&h, run->data, err);
    s->key[0] = mc_hash_value(&h);
    for (int i = 0; rc == MC_OK && i < run->work.n_steps; i++) {
        mc_fingerprint_text(&h, run->work.steps[i].kind->name);
        rc = add_settings(&h, &run->work.steps[i].settings, err);
        if (rc == MC_OK) rc = add_settings(&h, &run->work.steps[i].common, err);
        s->key[i + 1] = mc_hash_value(&h);
    }
    mc_fingerprint_text(&h, mc_settings_text(&run->work.output, "form")); /* which the last stage alone takes */
    s->key[run->work.n_steps] = mc_hash_value(&h);
    return rc;
}

static int open_stage(const struct mc_stages *s, int stage, struct mc_archive *archive, struct mc_error *err)
{
    char *path = path_of_key(s, stage, "step");
    const int rc = path ? mc_archive_open(archive, path, max_bytes, MOST_ENTRIES, err) : mc_error_memory(err);
    mc_free(path);
    return rc;
}

int mc_stages_find(struct mc_stages *s, const struct mc_run *run, struct mc_error *err)
{
    const int rc = find_keys(s, run, err);
    if (rc < 0) return rc;
    for (s->n_known = 0; s->n_known <= run->work.n_steps; s->n_known++) {
        struct mc_archive archive;
        if (open_stage(s, s->n_known, &archive, NULL) < 0) break; /* absent, or damaged: it is made anew */
        mc_archive_close(&archive);
    }
    return MC_OK;
}

/* --- stages --- */

static int load_record(const struct mc_archive *archive, const char *name, struct mc_record **record,
                       struct mc_error *err)
{
    const struct mc_archive_entry *entry = mc_archive_find(archive, name);
    *record = NULL;
    return entry ? mc_record_parse(record, name, entry->bytes, entry->length, err) : MC_OK;
}

static int copy_model(const struct mc_archive *archive, unsigned char **model, size_t *length, struct mc_error *err)
{
    const struct mc_archive_entry *entry = mc_archive_find(archive, "model");
    if (!entry) return mc_error_set(err, MC_ERR_INPUT, "has no model");
    *model = mc_alloc(entry->length, 1);
    *length = entry->length;
    if (!*model) return mc_error_memory(err);
    memcpy(*model, entry->bytes, entry->length);
    return MC_OK;
}

int mc_stages_load(const struct mc_stages *s, int stage, struct mc_record *into, const char *key,
                   struct mc_record **explanation, unsigned char **model, size_t *length, struct mc_error *err)
{
    struct mc_archive archive;
    struct mc_record *section = NULL;
    int rc = open_stage(s, stage, &archive, err);
    if (rc < 0) return rc;
    rc = load_record(&archive, "section", &section, err);
    if (rc == MC_OK && section && key) mc_record_set_record(into, key, section);
    if (rc == MC_OK && section && !key) mc_record_append_record(into, section);
    mc_record_destroy(section);
    if (rc == MC_OK && explanation) rc = load_record(&archive, "explanation", explanation, err);
    if (rc == MC_OK && model) rc = copy_model(&archive, model, length, err);
    mc_archive_close(&archive);
    return rc < 0 ? mc_error_wrap(err, rc, "'%s'", s->dir) : MC_OK;
}

static void put_record(struct mc_archive_out *out, const struct mc_record *record, const char *name,
                       struct mc_error *err)
{
    struct mc_buf text;
    const int rc = mc_report_render(record, MC_FORMAT_JSON, &text, err);
    if (rc < 0 && out->status == MC_OK) out->status = rc;
    if (rc < 0) return;
    mc_archive_put(out, text.data, text.length, err, "%s", name);
    mc_buf_finish(&text);
}

int mc_stages_save(const struct mc_stages *s, int stage, const struct mc_model *model, const struct mc_record *section,
                   const struct mc_record *explanation, struct mc_error *err)
{
    struct mc_archive_out out;
    unsigned char *bytes = NULL;
    size_t length;
    int rc = mc_onnx_save_bytes(model, &bytes, &length, err);
    if (rc == MC_ERR_UNSUPPORTED) return MC_OK;
    char *path = rc == MC_OK ? path_of_key(s, stage, "step") : NULL;
    if (rc == MC_OK && !path) rc = mc_error_memory(err);
    if (rc == MC_OK) {
        mc_archive_create(&out, path, err);
        mc_archive_put(&out, bytes, length, err, "model");
        put_record(&out, section, "section", err);
        if (explanation) put_record(&out, explanation, "explanation", err);
        rc = mc_archive_commit(&out, err);
    }
    mc_free(bytes);
    mc_free(path);
    if (rc < 0) return mc_error_wrap(err, rc, "the run directory");
    char *training = mc_stages_training(s, stage); /* it is over */
    if (training) unlink(training);
    mc_free(training);
    return MC_OK;
}

char *mc_stages_training(const struct mc_stages *s, int stage)
{
    return path_of_key(s, stage, "training");
}

int mc_stages_end(const struct mc_stages *s, const struct mc_record *record, int n_steps, bool keep,
                  struct mc_error *err)
{
    char *path = path_of(s, "record.json");
    const int rc = path ? mc_record_save(record, MC_FORMAT_JSON, path, true, err) : mc_error_memory(err);
    mc_free(path);
    clear(s, keep ? n_steps : -1, false);
    return rc;
}

/* --- the log --- */

void mc_stages_log(const struct mc_stages *s, const struct mc_context *context, const char *fmt, ...)
{
    char line[512], stamped[sizeof line + 32], when[32];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (context && context->log) context->log(context->log_context, line);
    if (!s->dir || s->log_fd < 0) return;
    const time_t now = time(NULL);
    struct tm utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    const int n = snprintf(stamped, sizeof stamped, "%s %s\n", when, line);
    if (write(s->log_fd, stamped, (size_t)n) < 0) return; /* a full disk is told by what has to be written */
}
