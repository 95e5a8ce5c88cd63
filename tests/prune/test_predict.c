/* test_predict.c - costs of groups from measured points. */
#include "prune/predict.h"

#include "test.h"

/* A family of 8 groups, measured at 2, 4 and 6. */
static struct mc_record *curves(double two, double four, double six)
{
    struct mc_error err = {0};
    struct mc_record *record;
    assert_ok(mc_record_create(&record, &err), err);
    mc_record_set_text(record, "title", "compress sensitivity");
    struct mc_record *family = mc_record_append_object(mc_record_array(record, "families"));
    mc_record_set_text(family, "tensor", "w");
    mc_record_set_int(family, "axis", 0);
    struct mc_record *points = mc_record_array(family, "points");
    const double loss[] = {two, four, six};
    for (int i = 0; i < 3; i++) {
        struct mc_record *point = mc_record_append_object(points);
        mc_record_set_int(point, "groups_removed", 2 * (i + 1));
        mc_record_set_num(point, "loss_change", loss[i]);
    }
    return record;
}

static void check(double two, double four, double six, const double expected[9])
{
    double loss[9];
    struct mc_record *record = curves(two, four, six);
    assert_true(mc_predict_loss(record, "w", 0, 8, loss));
    for (int n = 0; n <= 8; n++) assert_float_equal(loss[n], expected[n], 1e-9);
    mc_record_destroy(record);
}

static void test_points_are_joined_by_lines(void **state)
{
    check(0.2, 0.6, 1.4, (const double[]){0, 0.1, 0.2, 0.4, 0.6, 1.0, 1.4, 1.8, 2.2});
}

/* The point at 2 lies above the line from 0 to 4. */
static void test_what_bulges_is_cut_off(void **state)
{
    check(0.5, 0.6, 1.4, (const double[]){0, 0.15, 0.3, 0.45, 0.6, 1.0, 1.4, 1.8, 2.2});
}

static void test_what_was_not_measured_is_not_predicted(void **state)
{
    struct mc_error err = {0};
    double loss[9];
    struct mc_record *record = curves(0.2, 0.6, 1.4);
    assert_false(mc_predict_loss(record, "w", 1, 8, loss));
    assert_false(mc_predict_loss(record, "v", 0, 8, loss));
    assert_ok(mc_predict_check(record, &err), err);
    mc_record_set_text(record, "title", "compress info");
    assert_int_equal(mc_predict_check(record, &err), MC_ERR_INPUT);
    mc_record_destroy(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_points_are_joined_by_lines),
        cmocka_unit_test(test_what_bulges_is_cut_off),
        cmocka_unit_test(test_what_was_not_measured_is_not_predicted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
