/* cmd_report.c - compress report: records that were saved, in another form, or side by side. */
#include <stdlib.h>

#include "failure.h"
#include "session.h"
#include "verbs.h"

static int load_all(const struct arguments *args, struct mc_record **records, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < args->n_operands; i++) rc = mc_record_load(&records[i], args->operands[i], err);
    return rc;
}

/* One is shown as it was, several side by side. */
static int show(const struct arguments *args, struct mc_record **records, struct mc_error *err)
{
    struct mc_record *gathered = NULL;
    if (args->n_operands == 1) return session_show(args, records[0], err);
    int rc = mc_record_gather(&gathered, (const struct mc_record *const *)records, args->operands,
                              (size_t)args->n_operands, err);
    if (rc == MC_OK) rc = session_show(args, gathered, err);
    mc_record_destroy(gathered);
    return rc;
}

static int report(const struct arguments *args, struct mc_error *err)
{
    struct mc_record **records = calloc((size_t)args->n_operands, sizeof *records);
    if (!records) return fail(err, MC_ERR_SYSTEM, "out of memory");
    int rc = load_all(args, records, err);
    if (rc == MC_OK) rc = show(args, records, err);
    for (int i = 0; i < args->n_operands; i++) mc_record_destroy(records[i]);
    free(records);
    return rc;
}

static const char *const report_examples[] = {
    "compress report small/report.json --report page.html",
    "compress report small/report.json small/run/record.json",
    NULL,
};

const struct verb verb_report = {
    .name = "report",
    .operands = "RECORD.json...",
    .summary = "show a record that was saved, in any form, or several runs side by side",
    .about =
        "Records are what --json and `report: [json]` write. --report page.html makes the page of one run, or of all "
        "of them with what each gave for its size.",
    .examples = report_examples,
    .min_operands = 1,
    .max_operands = 1000,
    .run = report,
};
