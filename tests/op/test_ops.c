/* test_ops.c - the table of operators is whole: sorted, every rule there or the reason why not; and the harness that
 * tests them finds what it should. */
#include "op/ops.h"

#include <dirent.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "harness.h"

static int order(const struct mc_op *a, const struct mc_op *b)
{
    int order = strcmp(a->domain, b->domain);
    if (order == 0) order = strcmp(a->type, b->type);
    return order ? order : a->since - b->since;
}

static void test_table_is_sorted(void **state)
{
    for (size_t i = 1; i < mc_ops_count; i++)
        if (order(mc_ops[i - 1], mc_ops[i]) >= 0)
            fail_msg("%s-%d stands before %s-%d", mc_ops[i - 1]->type, mc_ops[i - 1]->since, mc_ops[i]->type,
                     mc_ops[i]->since);
}

static void test_every_operator_has_its_rules_or_a_reason(void **state)
{
    for (size_t i = 0; i < mc_ops_count; i++) {
        const struct mc_op *op = mc_ops[i];
        if ((!op->shape && !op->evaluate) || (!op->forward && !op->evaluate) || !op->coupling || !op->cost)
            fail_msg("%s-%d lacks a rule", op->type, op->since);
        if (!op->backward && !op->branches && !op->no_backward && !op->shape_only)
            fail_msg("%s-%d has no backward and no reason", op->type, op->since);
        if (op->backward && !op->grad_inputs) fail_msg("%s-%d differentiates by nothing", op->type, op->since);
        if (!op->backward && op->grad_inputs) fail_msg("%s-%d cannot differentiate", op->type, op->since);
    }
}

/* A derivative that is missing is missing for good: by what is no parameter of a float type, or because there is none.
 */
static void test_every_missing_derivative_has_a_reason(void **state)
{
    for (size_t i = 0; i < mc_ops_count; i++) {
        const struct mc_op *op = mc_ops[i];
        bool all = true;
        for (int k = 0; k < op->max_inputs; k++) all &= op->grad_inputs >> (k < 31 ? k : 31) & 1;
        if (op->backward && !all && !op->others)
            fail_msg("%s-%d gives no gradient by some inputs and does not say what they are", op->type, op->since);
        if (op->no_backward && strstr(op->no_backward, "yet"))
            fail_msg("%s-%d: '%s' is no reason", op->type, op->since, op->no_backward);
    }
}

static void test_numbers_of_inputs_and_versions_make_sense(void **state)
{
    for (size_t i = 0; i < mc_ops_count; i++) {
        const struct mc_op *op = mc_ops[i];
        const bool ok = op->since >= 1 && op->min_inputs >= 0 && op->n_outputs != 0 && op->max_inputs >= -1 &&
                        (op->max_inputs < 0 || op->min_inputs <= op->max_inputs) && op->type && op->domain;
        if (!ok) fail_msg("%s-%d: its numbers do not make sense", op->type, op->since);
    }
}

static void test_find_takes_the_newest_that_is_old_enough(void **state)
{
    for (size_t i = 0; i < mc_ops_count; i++) {
        const struct mc_op *op = mc_ops[i];
        const bool newer = i + 1 < mc_ops_count && strcmp(mc_ops[i + 1]->type, op->type) == 0;
        assert_ptr_equal(mc_ops_find(op->domain, op->type, op->since), op);
        assert_ptr_equal(mc_ops_find(op->domain, op->type, newer ? mc_ops[i + 1]->since - 1 : 1000), op);
        if (i == 0 || strcmp(mc_ops[i - 1]->type, op->type) != 0)
            assert_null(mc_ops_find(op->domain, op->type, op->since - 1));
    }
}

static void test_find_knows_no_strangers(void **state)
{
    assert_null(mc_ops_find("", "NoSuchOperator", 13));
    assert_null(mc_ops_find("", "", 13));
    assert_null(mc_ops_find("com.example", "Relu", 13));
    assert_null(mc_ops_find("", "zzz", 13));
}

enum { MOST_VERSIONS = 16 };

static const struct {
    const char *domain, *type;
    int versions[MOST_VERSIONS];
} standard[] = {
#include "versions.h"
};

/* Deliberately: derivatives are the trainer's. */
static const char *const missing[] = {"Gradient"};

static bool is_missing(const char *type)
{
    for (size_t i = 0; i < MC_COUNT(missing); i++)
        if (strcmp(missing[i], type) == 0) return true;
    return false;
}

/* What is missing is listed; what is listed is missing. */
static void test_every_version_of_the_standard_is_there(void **state)
{
    for (size_t i = 0; i < MC_COUNT(standard); i++)
        for (int k = 0; k < MOST_VERSIONS && standard[i].versions[k]; k++)
            if (!mc_ops_find(standard[i].domain, standard[i].type, standard[i].versions[k]) !=
                is_missing(standard[i].type))
                fail_msg("%s-%d of '%s'", standard[i].type, standard[i].versions[k], standard[i].domain);
}

/* The text of all tests of operators but this one, which lie in the folder MC_OP_TESTS (meson.build). */
static void read_tests(struct mc_buf *text)
{
    struct mc_error err = {0};
    DIR *folder = opendir(MC_OP_TESTS);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        struct mc_file_view view;
        if (strncmp(entry->d_name, "test_", 5) != 0 || strcmp(entry->d_name, "test_ops.c") == 0) continue;
        char *path = mc_path_join(MC_OP_TESTS, entry->d_name);
        assert_ok(mc_file_open(&view, path, 1 << 24, &err), err);
        mc_buf_append(text, view.data, view.length);
        mc_file_close(&view);
        mc_free(path);
    }
    closedir(folder);
    assert_false(text->failed);
}

/* The models that test_vectors.c runs, as bytes. */
static void read_vectors(struct mc_buf *bytes)
{
    struct mc_error err = {0};
    DIR *folder = opendir(MC_OP_TESTS "/vectors");
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        struct mc_file_view view;
        if (!strstr(entry->d_name, ".onnx")) continue;
        char *path = mc_path_join(MC_OP_TESTS "/vectors", entry->d_name);
        assert_ok(mc_file_open(&view, path, 1 << 24, &err), err);
        mc_buf_append(bytes, view.data, view.length);
        mc_file_close(&view);
        mc_free(path);
    }
    closedir(folder);
    assert_false(bytes->failed);
}

/* Is there a NodeProto of this type, whose field 4 is the name with its length in front? */
static bool has_node(const struct mc_buf *bytes, const char *type)
{
    char field[66] = {0x22, (char)strlen(type)};
    const size_t n = 2 + strlen(type);
    memcpy(field + 2, type, n - 2);
    for (size_t i = 0; i + n <= bytes->length; i++)
        if (memcmp(bytes->data + i, field, n) == 0) return true;
    return false;
}

/* A test speaks of an operator by its name in quotes, or one of the vectors has it. */
static void test_every_operator_has_a_test(void **state)
{
    struct mc_buf text, vectors;
    mc_buf_init(&text, 1 << 26);
    mc_buf_init(&vectors, 1 << 26);
    read_tests(&text);
    read_vectors(&vectors);
    for (size_t i = 0; i < mc_ops_count; i++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", mc_ops[i]->type);
        if (!strstr(text.data, quoted) && !has_node(&vectors, mc_ops[i]->type))
            fail_msg("no file test_*.c speaks of %s, and no vector has it", quoted);
    }
    mc_buf_finish(&vectors);
    mc_buf_finish(&text);
}

/* --- the harness, on operators that cannot be simpler --- */

static const struct op_case relu = {.type = "Relu", .opset = 14, .in = {{OP_DIMS(2, 3), OP_DATA(-1, 0, 1, 2, -3, 4)}}};

static void test_harness_compares_numbers(void **state)
{
    const struct op_tensor expected = {OP_DIMS(2, 3), OP_DATA(0, 0, 1, 2, 0, 4)};
    op_check(&relu, &expected, 1e-6);
}

static void test_harness_differentiates(void **state)
{
    op_check_gradient(&(struct op_case){.type = "Relu", .opset = 14, .in = {{OP_DIMS(3, 5)}}, .kink = 0.01});
    op_check_gradient(&(struct op_case){
        .type = "Mul", .opset = 14, .in = {{OP_DIMS(3, 1, 5)}, {OP_DIMS(4, 5), .initializer = true}}});
}

static void test_harness_sees_refusals(void **state)
{
    op_check_refused(&(struct op_case){.type = "Relu", .opset = 14, .in = {{OP_DIMS(2), .dtype = MC_BOOL}}},
                     MC_ERR_UNSUPPORTED, "node 'node' (Relu): input 0 'in0'");
    op_check_refused(&(struct op_case){.type = "Elu", .opset = 6, .attrs = {OP_FLOAT("alph", 2)}, .in = {{OP_DIMS(2)}}},
                     MC_ERR_UNSUPPORTED, "'node' (Elu): attribute 'alph' is none of the operator's");
    op_check_refused(&(struct op_case){.type = "Nonsense", .opset = 14, .in = {{OP_DIMS(2)}}}, MC_ERR_UNSUPPORTED,
                     "'node' (Nonsense of ai.onnx 14)");
    op_check_refused(&(struct op_case){.type = "Relu", .opset = 14, .n_in = 2, .in = {{OP_DIMS(2)}, {OP_DIMS(2)}}},
                     MC_ERR_INPUT, "needs 1 inputs, has 2");
}

static void test_harness_survives_failing_allocations(void **state)
{
    op_check_memory(&relu);
    op_check_memory(&(struct op_case){
        .type = "Mul", .opset = 14, .in = {{OP_DIMS(3, 1, 5)}, {OP_DIMS(4, 5), .initializer = true}}});
}

static void test_elementwise_operators_take_channels_last(void **state)
{
    op_check_channels_last(&(struct op_case){.type = "Relu", .opset = 14, .in = {{OP_DIMS(2, 5, 3, 4)}}});
    op_check_channels_last(&(struct op_case){
        .type = "Mul", .opset = 14, .in = {{OP_DIMS(2, 5, 3, 4)}, {OP_DIMS(1), OP_DATA(3), .initializer = true}}});
    op_check_channels_last(&(struct op_case){.type = "Clip",
                                             .opset = 14,
                                             .in = {{OP_DIMS(2, 5, 3, 4)},
                                                    {OP_SCALAR, OP_DATA(-0.5), .initializer = true},
                                                    {OP_SCALAR, OP_DATA(0.5), .initializer = true}}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_sorted),
        cmocka_unit_test(test_every_operator_has_its_rules_or_a_reason),
        cmocka_unit_test(test_every_missing_derivative_has_a_reason),
        cmocka_unit_test(test_numbers_of_inputs_and_versions_make_sense),
        cmocka_unit_test(test_find_takes_the_newest_that_is_old_enough),
        cmocka_unit_test(test_find_knows_no_strangers),
        cmocka_unit_test(test_every_version_of_the_standard_is_there),
        cmocka_unit_test(test_every_operator_has_a_test),
        cmocka_unit_test(test_harness_compares_numbers),
        cmocka_unit_test(test_harness_differentiates),
        cmocka_unit_test(test_harness_sees_refusals),
        cmocka_unit_test(test_harness_survives_failing_allocations),
        cmocka_unit_test(test_elementwise_operators_take_channels_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
