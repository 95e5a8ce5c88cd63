/* test_page.c - the page: every figure in it is the record's, and it asks for nothing. */
#include "test.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "report/page.h"
#include "report/record.h"

static const char record_text[] =
    "{\"title\": \"a <b>.yaml\", \"model\": \"net.onnx\", \"seed\": 7, \"seconds\": 12.5,"
    "\"original\": {\"parameters\": 1234567, \"nonzeros\": 1234567, \"macs\": 5000, \"bytes\": 400000, \"accuracy\": "
    "0.9876,"
    " \"loss\": 0.05, \"layers\": [{\"layer\": \"fc1\", \"operator\": \"Gemm\", \"shape\": \"[1,64]\", \"parameters\": "
    "900,"
    " \"sparsity\": 0.0, \"macs\": 800, \"weights\": {\"low\": -0.5, \"high\": 0.75, \"counts\": [1, 5, 2]}}],"
    " \"per_class\": [{\"class\": \"cat\", \"samples\": 4, \"precision\": 0.75, \"recall\": 0.5, \"f1\": 0.6},"
    " {\"class\": \"dog\", \"samples\": 5, \"precision\": 0.5, \"recall\": 0.25, \"f1\": 0.3}],"
    " \"confusion\": [[3, 1], [2, 3]],"
    " \"graph\": {\"nodes\": [\"fc1\", \"act\", \"fc2\"], \"operators\": [\"Gemm\", \"Relu\", \"Gemm\"],"
    " \"shapes\": [\"[1,64]\", \"[1,64]\", \"[1,10]\"], \"reads\": [[], [0], [1]]}},"
    "\"steps\": [{\"step\": \"prune\", \"options\": {\"ratio\": 0.5, \"stop.patience\": 3}, \"groups_removed\": 32,"
    " \"training\": {\"epochs\": [{\"epoch\": 1, \"train_loss\": 0.5, \"validation_loss\": 0.625, "
    "\"validation_accuracy\": 0.75},"
    " {\"epoch\": 2, \"train_loss\": 0.25, \"validation_loss\": 0.375, \"validation_accuracy\": 0.875}]}, \"seconds\": "
    "1.25,"
    " \"result\": {\"parameters\": 617283, \"macs\": 2500, \"bytes\": 200000, \"accuracy\": 0.98}}],"
    "\"final\": {\"parameters\": 617283, \"nonzeros\": 617283, \"macs\": 2500, \"bytes\": 200000, \"accuracy\": 0.98,"
    " \"loss\": 0.0625, \"layers\": [{\"layer\": \"fc1\", \"operator\": \"Gemm\", \"shape\": \"[1,32]\", "
    "\"parameters\": 450,"
    " \"sparsity\": 0.0, \"macs\": 400, \"weights\": {\"low\": -0.5, \"high\": 0.625, \"counts\": [2, 2, 0]}}],"
    " \"per_class\": [{\"class\": \"cat\", \"samples\": 4, \"precision\": 0.5, \"recall\": 0.5, \"f1\": 0.5},"
    " {\"class\": \"dog\", \"samples\": 5, \"precision\": 0.5, \"recall\": 0.5, \"f1\": 0.5}],"
    " \"confusion\": [[2, 2], [1, 4]],"
    " \"graph\": {\"nodes\": [\"fc1\", \"fc2\"], \"operators\": [\"Gemm\", \"Gemm\"], \"shapes\": [\"[1,32]\", "
    "\"[1,10]\"],"
    " \"reads\": [[], [0]]}},"
    "\"gates\": [{\"gate\": \"max_bytes\", \"bound\": 100000.0, \"value\": 200000.0, \"margin\": -100000.0, \"held\": "
    "false},"
    " {\"gate\": \"max_macs\", \"bound\": 3000.0, \"value\": 2500.0, \"margin\": 500.0, \"held\": true}]}";

struct page {
    struct mc_record *record;
    struct mc_buf text;
};

static int setup(void **state)
{
    struct page *page = calloc(1, sizeof *page);
    char path[] = "/tmp/mc_page_XXXXXX";
    const int file = mkstemp(path);
    if (!page || file < 0) return -1;
    const bool written = write(file, record_text, sizeof record_text - 1) == (ssize_t)(sizeof record_text - 1);
    close(file);
    const int rc = written ? mc_record_load(&page->record, path, NULL) : -1;
    unlink(path);
    if (rc < 0) return -1;
    mc_buf_init(&page->text, 1 << 20);
    mc_report_page(page->record, &page->text);
    *state = page;
    return page->text.failed ? -1 : 0;
}

static int teardown(void **state)
{
    struct page *page = *state;
    mc_record_destroy(page->record);
    mc_buf_finish(&page->text);
    free(page);
    return 0;
}

/* A path, or "a - b", or "a / b". */
static double value_at(const struct mc_record *record, const char *from)
{
    char paths[2][128], sign = 0;
    if (sscanf(from, "%127s %c %127s", paths[0], &sign, paths[1]) != 3) return mc_record_get_num(record, from, NAN);
    const double a = mc_record_get_num(record, paths[0], NAN), b = mc_record_get_num(record, paths[1], NAN);
    return sign == '/' ? a / b : a - b;
}

/* Copy what stands before `end`; returns what follows it. */
static const char *take(const char *from, char end, char *out, size_t size)
{
    size_t n = 0;
    for (; *from && *from != end; from++)
        if (n + 1 < size) out[n++] = *from;
    out[n] = '\0';
    return *from ? from + 1 : from;
}

static void test_every_figure_is_what_the_record_has_where_it_says(void **state)
{
    const struct page *page = *state;
    int n = 0;
    for (const char *at = page->text.data; (at = strstr(at, "value=\"")); n++) {
        char value[64], from[256];
        at = take(at + strlen("value=\""), '"', value, sizeof value);
        at = strstr(at, "from=\"");
        assert_non_null(at);
        at = take(at + strlen("from=\""), '"', from, sizeof from);
        const double expected = value_at(page->record, from);
        if (strtod(value, NULL) != expected) fail_msg("%s is %.17g, the page has %s", from, expected, value);
    }
    assert_in_range(n, 91, 1000);
}

/* What a figure shows is its value, in the digits that it has room for. */
static void test_what_is_shown_is_the_value(void **state)
{
    const struct page *page = *state;
    int n = 0;
    for (const char *at = page->text.data; (at = strstr(at, "<data value=\"")); n++) {
        char value[64], from[256], shown[64], plain[64];
        at = take(at + strlen("<data value=\""), '"', value, sizeof value);
        at = take(strchr(at, '"') + 1, '"', from, sizeof from);
        at = take(at + 1, '<', shown, sizeof shown);
        size_t k = 0;
        for (const char *c = shown; *c; c++)
            if (*c != ',') plain[k++] = *c;
        plain[k] = '\0';
        const bool percent = strstr(shown, "%") || strstr(shown, "points");
        const double is = strtod(plain, NULL), needed = strtod(value, NULL) * (percent ? 100 : 1);
        if (fabs(is - needed) > 0.00501 * fmax(1, fabs(needed))) fail_msg("%s: %s is shown as %s", from, value, shown);
    }
    assert_in_range(n, 71, 1000);
}

/* Copy of the page without what lies between two marks. */
static void cut(char *text, const char *begin, const char *end)
{
    char *to = text;
    for (const char *from = text; *from;) {
        if (strncmp(from, begin, strlen(begin)) != 0) {
            *to++ = *from++;
            continue;
        }
        const char *over = strstr(from, end);
        from = over ? over + strlen(end) : from + strlen(from);
    }
    *to = '\0';
}

static void test_no_digit_stands_outside_of_figures_and_names(void **state)
{
    const struct page *page = *state;
    static const char *const marks[][2] = {{"<style", "</style>"}, {"<title", "</title>"}, {"<data ", "</data>"},
                                           {"<code>", "</code>"},  {"<text ", "</text>"},  {"<", ">"}};
    char *text = strdup(page->text.data);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) cut(text, marks[i][0], marks[i][1]);
    static const char *const names[] = {"95 %", "F1", "top-5", "R2"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) cut(text, names[i], names[i] + strlen(names[i]) - 1);
    for (const char *c = text; *c; c++)
        if (isdigit((unsigned char)*c)) fail_msg("…%.40s", c);
    free(text);
}

static void test_it_asks_for_nothing(void **state)
{
    const struct page *page = *state;
    static const char *const asking[] = {"http:", "https:",  "<script", "<link rel=\"style",
                                         "src=",  "@import", "url(//"};
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) assert_null(strstr(page->text.data, asking[i]));
}

static void test_the_verdict_comes_first_and_names_are_escaped(void **state)
{
    const struct page *page = *state;
    const char *verdict = strstr(page->text.data, "<h1>Failed: <code>max_bytes</code></h1>");
    assert_non_null(verdict);
    assert_true(verdict < strstr(page->text.data, "<h2"));
    assert_non_null(strstr(page->text.data, "a &lt;b&gt;.yaml"));
    assert_null(strstr(page->text.data, "a <b>"));
}

static void test_links_lead_to_sections_that_are_there(void **state)
{
    const struct page *page = *state;
    int n = 0;
    for (const char *at = page->text.data; (at = strstr(at, "href=\"#")); n++) {
        char name[32], id[48];
        at = take(at + strlen("href=\"#"), '"', name, sizeof name);
        snprintf(id, sizeof id, "<section id=\"%s\"", name);
        assert_non_null(strstr(page->text.data, id));
    }
    assert_int_equal(n, 9); /* all but those of other verbs: measured, sensitivity */
}

static void test_the_graph_says_what_became_of_nodes(void **state)
{
    const struct page *page = *state;
    assert_non_null(
        strstr(page->text.data, "class=\"box narrower\"><title>narrower\nfc1 (Gemm) [1,64] \xe2\x86\x92 [1,32]"));
    assert_non_null(strstr(page->text.data, "class=\"box gone\"><title>gone\nact (Relu)"));
    assert_non_null(strstr(page->text.data, "class=\"box same\"><title>same\nfc2 (Gemm)"));
}

/* 500 layers in a row. */
static void test_a_large_graph_is_folded(void **state)
{
    struct mc_record *record;
    struct mc_buf text;
    int n_boxes = 0;
    assert_int_equal(mc_record_create(&record, NULL), MC_OK);
    struct mc_record *graph = mc_record_object(record, "graph"), *layers = mc_record_array(record, "layers");
    for (int i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "block%d.fc", i / 10);
        mc_record_append_text(mc_record_array(graph, "nodes"), name);
        mc_record_append_text(mc_record_array(graph, "operators"), "Gemm");
        mc_record_append_text(mc_record_array(graph, "shapes"), "[1,8]");
        struct mc_record *reads = mc_record_append_array(mc_record_array(graph, "reads"));
        if (i > 0) mc_record_append_int(reads, i - 1);
        mc_record_set_text(mc_record_append_object(layers), "layer", name);
    }
    mc_buf_init(&text, 1 << 20);
    mc_report_page(record, &text);
    assert_false(text.failed);
    for (const char *at = text.data; (at = strstr(at, "class=\"box")); at++) n_boxes++;
    assert_in_range(n_boxes, 100, 160);
    mc_buf_finish(&text);
    mc_record_destroy(record);
}

/* 21 classes, each taken for the next as often as its number says. */
static void test_of_many_classes_the_most_frequent_mistakes_are_shown(void **state)
{
    struct mc_record *record;
    struct mc_buf text;
    assert_int_equal(mc_record_create(&record, NULL), MC_OK);
    for (int k = 0; k < 21; k++) {
        char name[16];
        snprintf(name, sizeof name, "class %d", k);
        mc_record_set_text(mc_record_append_object(mc_record_array(record, "per_class")), "class", name);
        struct mc_record *row = mc_record_append_array(mc_record_array(record, "confusion"));
        for (int j = 0; j < 21; j++) mc_record_append_int(row, j == k + 1 ? k : j == k ? 50 : 0);
    }
    mc_buf_init(&text, 1 << 20);
    mc_report_page(record, &text);
    const char *most = strstr(text.data, "data-from=\"confusion.19.20\">19</data>");
    const char *next = strstr(text.data, "data-from=\"confusion.18.19\">18</data>");
    assert_non_null(most);
    assert_true(next > most);
    assert_non_null(strstr(text.data, "data-from=\"confusion.1.2\">1</data>"));
    assert_null(strstr(text.data, "confusion.0."));
    mc_buf_finish(&text);
    mc_record_destroy(record);
}

static void test_a_record_of_nothing_makes_a_page(void **state)
{
    struct mc_record *record;
    struct mc_buf text;
    struct mc_error err = {0};
    assert_ok(mc_record_create(&record, &err), err);
    mc_buf_init(&text, 1 << 20);
    mc_report_page(record, &text);
    assert_false(text.failed);
    assert_non_null(strstr(text.data, "</html>"));
    assert_null(strstr(text.data, "id=\"layers\""));
    mc_buf_finish(&text);
    mc_record_destroy(record);
}

#define ON_PAGE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_PAGE(test_every_figure_is_what_the_record_has_where_it_says),
        ON_PAGE(test_what_is_shown_is_the_value),
        ON_PAGE(test_no_digit_stands_outside_of_figures_and_names),
        ON_PAGE(test_it_asks_for_nothing),
        ON_PAGE(test_the_verdict_comes_first_and_names_are_escaped),
        ON_PAGE(test_links_lead_to_sections_that_are_there),
        ON_PAGE(test_the_graph_says_what_became_of_nodes),
        cmocka_unit_test(test_a_large_graph_is_folded),
        cmocka_unit_test(test_of_many_classes_the_most_frequent_mistakes_are_shown),
        cmocka_unit_test(test_a_record_of_nothing_makes_a_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
