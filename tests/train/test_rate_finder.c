/* test_rate_finder.c - the rate that is suggested lies where descent is known to work. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "report/record.h"
#include "toy.h"

/* For squared error of a line in inputs of variance 1/3 gradient descent diverges beyond a rate of 2 / (largest
 * eigenvalue of the second derivative), which is near 1, and is fastest below that. */
static void test_the_suggestion_is_below_where_descent_diverges(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_line(&toy, 500);
    struct mc_model *model = toy_model("linear", &toy), *before = toy_model("linear", &toy);
    const struct mc_fit_options o = toy_options(0, 50, 0);
    struct mc_record *r;
    double rate = 0;
    int64_t n, m;
    assert_ok(mc_record_create(&r, &err), err);
    assert_ok(mc_rate_find(model, &toy.data, &o, &rate, r, &err), err);
    assert_true(rate > 0.003 && rate < 1);
    assert_true(mc_record_get_num(r, "suggested", 0) == rate && mc_record_get_num(r, "lowest", 0) >= rate);
    assert_true(mc_record_size(mc_record_get(r, "curve")) > 100);
    float *a = toy_weights(model, &n), *b = toy_weights(before, &m);
    assert_memory_equal(a, b, (size_t)n * sizeof *a); /* the model is as it was */
    mc_free(a);
    mc_free(b);
    mc_record_destroy(r);
    mc_model_destroy(model);
    mc_model_destroy(before);
    toy_destroy(&toy);
}

/* A model that is at its best already. */
static void test_a_loss_that_cannot_fall_has_no_rate(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_line(&toy, 50);
    memset(toy.targets, 0, 50 * sizeof *toy.targets);
    struct mc_model *model = toy_model("linear", &toy);
    memset(model->graph->initializers[0]->data->data, 0, 3 * sizeof(float));
    const struct mc_fit_options o = toy_options(0, 10, 0);
    double rate = 0;
    assert_int_equal(mc_rate_find(model, &toy.data, &o, &rate, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "no rate from 1e-07 to 10 makes the loss fall: none can be suggested");
    mc_model_destroy(model);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_suggestion_is_below_where_descent_diverges),
        cmocka_unit_test(test_a_loss_that_cannot_fall_has_no_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
