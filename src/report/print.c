/* print.c - records to streams and files: the public side of this room; see compress.h and print.h. */
#include "report/print.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "report/badge.h"
#include "report/json.h"
#include "report/junit.h"
#include "report/page.h"
#include "report/prose.h"
#include "report/sections.h"

/* A record holds names and figures of a model, never its weights. */
#define MAX_REPORT_BYTES ((size_t)1 << 30)

int mc_report_render(const struct mc_record *record, enum mc_format format, struct mc_buf *out, struct mc_error *err)
{
    mc_buf_init(out, MAX_REPORT_BYTES);
    switch (format) {
    case MC_FORMAT_JSON:
        mc_report_json(record, out);
        break;
    case MC_FORMAT_MARKDOWN:
        mc_report_markdown(record, out);
        break;
    case MC_FORMAT_COMMENT:
        mc_report_comment(record, out);
        break;
    case MC_FORMAT_HTML:
        mc_report_page(record, out);
        break;
    case MC_FORMAT_JUNIT:
        mc_report_junit(record, out);
        break;
    case MC_FORMAT_BADGE:
        mc_report_badge(record, out);
        break;
    case MC_FORMAT_TABLE:
    case MC_FORMAT_DETAILS:
        mc_report_sections(record, format == MC_FORMAT_DETAILS, mc_grid_print_table, out);
        break;
    }
    if (!out->failed) return MC_OK;
    mc_buf_finish(out);
    return mc_error_memory(err);
}

int mc_format_of_path(const char *path, enum mc_format *format, struct mc_error *err)
{
    static const struct {
        const char *ending;
        enum mc_format format;
    } known[] = {{".json", MC_FORMAT_JSON},
                 {".md", MC_FORMAT_MARKDOWN},
                 {".html", MC_FORMAT_HTML},
                 {".xml", MC_FORMAT_JUNIT},
                 {".svg", MC_FORMAT_BADGE}};
    const size_t length = strlen(path);
    for (size_t i = 0; i < MC_COUNT(known); i++) {
        const size_t n = strlen(known[i].ending);
        if (length <= n || strcmp(path + length - n, known[i].ending) != 0) continue;
        *format = known[i].format;
        return MC_OK;
    }
    return mc_error_set(err, MC_ERR_USAGE, "needs a name that ends in .json, .md, .html, .xml or .svg, has '%s'", path);
}

int mc_record_print(const struct mc_record *record, enum mc_format format, FILE *stream, struct mc_error *err)
{
    struct mc_buf text;
    int rc = mc_report_render(record, format, &text, err);
    if (rc < 0) return rc;
    if (fwrite(text.data, 1, text.length, stream) != text.length || fflush(stream) != 0)
        rc = mc_error_writing(err, errno, "write", "the report");
    mc_buf_finish(&text);
    return rc;
}

int mc_record_text(const struct mc_record *record, enum mc_format format, char **text, struct mc_error *err)
{
    struct mc_buf buf;
    const int rc = mc_report_render(record, format, &buf, err);
    if (rc == MC_OK) *text = buf.data;
    return rc;
}

void mc_text_release(char *text)
{
    mc_free(text);
}

int mc_record_save(const struct mc_record *record, enum mc_format format, const char *path, bool overwrite,
                   struct mc_error *err)
{
    struct mc_buf text;
    int rc = mc_report_render(record, format, &text, err);
    if (rc < 0) return rc;
    rc = mc_file_save(path, text.data, text.length, overwrite, err);
    mc_buf_finish(&text);
    return rc;
}
