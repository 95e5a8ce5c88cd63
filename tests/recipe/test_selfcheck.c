/* test_selfcheck.c - a file that does not say what the model says is found out. */
#include "test.h"

#include <string.h>

#include "base/alloc.h"
#include "onnx/onnx.h"
#include "op/ops.h"
#include "recipe/selfcheck.h"
#include "report/record.h"
#include "train/train.h"

struct fixture {
    struct mc_model *model;
    unsigned char *bytes;
    size_t length;
    struct mc_runtime runtime;
    struct mc_record *record;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    *state = &f;
    mc_runtime_init(&f.runtime, 1, MC_CPU_PORTABLE);
    if (mc_architecture_create(&f.model, "mlp:6-5-3", NULL, 1, NULL) < 0) return -1;
    mc_ops_bind(f.model);
    if (mc_record_create(&f.record, NULL) < 0) return -1;
    return mc_onnx_save_bytes(f.model, &f.bytes, &f.length, NULL);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    mc_free(f->bytes);
    mc_model_destroy(f->model);
    mc_record_destroy(f->record);
    return 0;
}

static int check_as(struct fixture *f, bool same_graph, struct mc_error *err)
{
    return mc_selfcheck(f->model, &(struct mc_file_view){.data = f->bytes, .length = f->length}, same_graph,
                        &f->runtime, f->record, err);
}

static int check(struct fixture *f, struct mc_error *err)
{
    return check_as(f, false, err);
}

static void test_a_faithful_file_passes_by_bytes_and_outputs(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    assert_ok(check(f, &err), err);
    assert_true(mc_record_get_bool(f->record, "bytes", false));
    assert_true(mc_record_get_bool(f->record, "outputs", false));
}

static void test_one_other_weight_is_an_internal_error(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    float *bias = f->model->graph->initializers[f->model->graph->n_initializers - 1]->data->data;
    bias[0] += 1;
    assert_int_equal(check(f, &err), MC_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "self-check: initializer '"));
}

static void test_broken_bytes_are_an_internal_error_too(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    f->length -= 1;
    assert_int_equal(check(f, &err), MC_ERR_INTERNAL);
}

static void test_a_model_that_cannot_run_is_compared_by_its_bytes(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    for (int i = 0; i < f->model->graph->n_nodes; i++) f->model->graph->nodes[i]->op = NULL;
    assert_ok(check(f, &err), err);
    assert_true(mc_record_get_bool(f->record, "bytes", false));
    assert_false(mc_record_get_bool(f->record, "outputs", true));
    assert_non_null(mc_record_get_text(f->record, "why", NULL));
}

static void test_the_graph_that_was_loaded_is_not_run_but_its_contents_compared(void **state)
{
    struct fixture *f = *state;
    struct mc_error err = {0};
    assert_ok(check_as(f, true, &err), err);
    assert_false(mc_record_get_bool(f->record, "outputs", true));
    assert_non_null(strstr(mc_record_get_text(f->record, "why", ""), "contents"));
    ((float *)f->model->graph->initializers[0]->data->data)[3] += 1;
    assert_int_equal(check_as(f, true, &err), MC_ERR_INTERNAL);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(test_a_faithful_file_passes_by_bytes_and_outputs),
        WITH_FIXTURE(test_one_other_weight_is_an_internal_error),
        WITH_FIXTURE(test_broken_bytes_are_an_internal_error_too),
        WITH_FIXTURE(test_a_model_that_cannot_run_is_compared_by_its_bytes),
        WITH_FIXTURE(test_the_graph_that_was_loaded_is_not_run_but_its_contents_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
