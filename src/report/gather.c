/* gather.c - several records in one, side by side; see gather.h and compress.h. */
#include "report/gather.h"

#include "base/error.h"
#include "report/quantity.h"
#include "report/verdict.h"

static void put_run(const struct mc_record *record, const char *name, struct mc_record *run)
{
    static const char *const facts[] = {"title", "model"};
    const struct mc_record *final = mc_record_get(record, "final");
    struct mc_verdict verdict;
    mc_verdict_of(record, &verdict);
    mc_record_set_text(run, "run", name);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const char *text = mc_record_get_text(record, facts[i], NULL);
        if (text) mc_record_set_text(run, facts[i], text);
    }
    mc_record_set_int(run, "gates", (int64_t)verdict.n_gates);
    mc_record_set_int(run, "gates_failed", (int64_t)verdict.n_failed);
    for (size_t i = 0; i < mc_quantities_count; i++) { /* as they are: integers stay such */
        const struct mc_record *value = mc_record_get(final ? final : record, mc_quantities[i].key);
        if (value) mc_record_set_record(run, mc_quantities[i].key, value);
    }
    const struct mc_record *seconds = mc_record_get(record, "seconds");
    if (seconds) mc_record_set_record(run, "seconds", seconds);
}

void mc_report_gather(const struct mc_record *const *records, const char *const *names, size_t n,
                      struct mc_record *into)
{
    struct mc_record *runs = mc_record_array(into, "runs");
    for (size_t i = 0; i < n; i++) put_run(records[i], names[i], mc_record_append_object(runs));
}

int mc_record_gather(struct mc_record **gathered, const struct mc_record *const *records, const char *const *names,
                     size_t n, struct mc_error *err)
{
    struct mc_record *record;
    int rc = mc_record_create(&record, err);
    if (rc < 0) return rc;
    mc_record_begin(record, "compress report");
    mc_report_gather(records, names, n, record);
    rc = mc_record_check(record, err);
    if (rc == MC_OK)
        *gathered = record;
    else
        mc_record_destroy(record);
    return rc;
}
