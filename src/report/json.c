/* json.c - a record as JSON text; see json.h. */
#include "report/json.h"

#include <stdlib.h>
#include <string.h>

#include "report/record_json.h"

enum { INDENT = 2 };

static void write_value(struct mc_buf *out, json_t *json, int level);

static void write_string(struct mc_buf *out, const char *s)
{
    mc_buf_puts(out, "\"");
    for (const char *c = s; *c; c++) {
        const unsigned char byte = (unsigned char)*c;
        if (byte == '"' || byte == '\\')
            mc_buf_printf(out, "\\%c", byte);
        else if (byte == '\n')
            mc_buf_puts(out, "\\n");
        else if (byte == '\t')
            mc_buf_puts(out, "\\t");
        else if (byte < 0x20 || byte == 0x7f)
            mc_buf_printf(out, "\\u%04x", byte);
        else
            mc_buf_append(out, c, 1);
    }
    mc_buf_puts(out, "\"");
}

/* The shortest of 15, 16 and 17 digits that gives the same double again: 17 always do (IEEE 754-2019, 5.12.2). */
void mc_report_number(double value, struct mc_buf *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    for (char *c = text; *c; c++) /* the caller's locale may write another point */
        if (!strchr("+-0123456789e", *c)) *c = '.';
    mc_buf_puts(out, text);
    if (!strpbrk(text, ".e")) mc_buf_puts(out, ".0");
}

static void new_line(struct mc_buf *out, int level)
{
    mc_buf_printf(out, "\n%*s", level * INDENT, "");
}

static bool is_flat(const json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (json_is_object(item) || json_is_array(item)) return false;
    }
    return true;
}

static void write_array(struct mc_buf *out, const json_t *array, int level)
{
    const bool flat = is_flat(array);
    mc_buf_puts(out, "[");
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0) mc_buf_puts(out, flat ? ", " : ",");
        if (!flat) new_line(out, level + 1);
        write_value(out, json_array_get(array, i), level + 1);
    }
    if (!flat) new_line(out, level);
    mc_buf_puts(out, "]");
}

static void write_object(struct mc_buf *out, json_t *object, int level)
{
    mc_buf_puts(out, "{");
    const char *key;
    json_t *value;
    bool first = true;
    json_object_foreach(object, key, value)
    {
        if (!first) mc_buf_puts(out, ",");
        first = false;
        new_line(out, level + 1);
        write_string(out, key);
        mc_buf_puts(out, ": ");
        write_value(out, value, level + 1);
    }
    if (!first) new_line(out, level);
    mc_buf_puts(out, "}");
}

static void write_value(struct mc_buf *out, json_t *json, int level)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(out, json, level);
        break;
    case JSON_ARRAY:
        write_array(out, json, level);
        break;
    case JSON_STRING:
        write_string(out, json_string_value(json));
        break;
    case JSON_INTEGER:
        mc_buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
        break;
    case JSON_REAL:
        mc_report_number(json_real_value(json), out);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        mc_buf_puts(out, json_is_true(json) ? "true" : "false");
        break;
    case JSON_NULL:
        mc_buf_puts(out, "null");
        break;
    }
}

void mc_report_json_value(const struct mc_record *value, struct mc_buf *out)
{
    write_value(out, mc_record_json(value), 0);
}

void mc_report_json(const struct mc_record *record, struct mc_buf *out)
{
    mc_report_json_value(record, out);
    mc_buf_puts(out, "\n");
}
