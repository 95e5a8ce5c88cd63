/* test_csv.c - tables: quoting, classes, numbers, places of errors. */
#include "scratch.h"

#include <string.h>

#include "data/data.h"
#include "expected.h"

static int open_csv(void **state, struct mc_dataset **d, const char *text, const char *options, struct mc_error *err)
{
    char spec[600];
    snprintf(spec, sizeof spec, "csv:%s%s", scratch_file(state, "t.csv", text, strlen(text)), options);
    return mc_dataset_open(d, spec, NULL, err);
}

static void assert_refused(void **state, const char *text, const char *options, int status, const char *words)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    assert_int_equal(open_csv(state, &d, text, options, &err), status);
    if (!strstr(err.text, words)) fail_msg("'%s' lacks '%s'", err.text, words);
}

static void test_classes_are_sorted_by_value_and_quotes_are_taken_off(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[2];
    int64_t label;
    const char *text = "\xef\xbb\xbf\"a \"\"x\"\"\",kind,b\r\n1,10,2\r\n\"3\",\"2\",4e1\r\n\r\n5,word,-6";
    assert_ok(open_csv(state, &d, text, ",label=kind", &err), err);
    assert_int_equal(d->n_classes, 3);
    assert_int_equal(d->sources[0]->n_samples, 3);
    assert_string_equal(d->sources[0]->class_names[0], "2");
    assert_string_equal(d->sources[0]->class_names[1], "10");
    assert_string_equal(d->sources[0]->class_names[2], "word");
    assert_ok(d->sources[0]->read(d->sources[0], 1, x, &label, NULL, &err), err);
    assert_int_equal(label, 0);
    assert_true(x[0] == 3 && x[1] == 40);
    mc_dataset_destroy(d);
}

static void test_targets_are_numbers(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[2], target;
    assert_ok(open_csv(state, &d, "y;a;b\n1.5;2;3\n-4;5;6\n", ",target=y,separator=semicolon", &err), err);
    assert_int_equal(d->task, MC_TASK_REGRESSION);
    assert_int_equal(d->n_targets, 1);
    assert_ok(d->sources[0]->read(d->sources[0], 1, x, NULL, &target, &err), err);
    assert_true(target == -4 && x[0] == 5 && x[1] == 6);
    mc_dataset_destroy(d);
}

static void test_standardizing_looks_at_training_samples_alone(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    char text[4096] = "a,b,y\n";
    for (int i = 0; i < 100; i++) sprintf(text + strlen(text), "%d,7,%d\n", i * i, i % 2);
    assert_ok(open_csv(state, &d, text, ",standardize=1", &err), err);
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < d->n[MC_DATA_TRAIN]; i++) {
        float x[2];
        assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, i, 1, x, NULL, NULL, 1, &err), err);
        sum += x[0];
        squares += x[0] * x[0];
        assert_true(x[1] == 0);
    }
    const double n = (double)d->n[MC_DATA_TRAIN];
    assert_int_equal(d->n[MC_DATA_TEST], 20);
    assert_true(sum / n < 1e-5 && sum / n > -1e-5);
    assert_true(squares / n > 0.9999 && squares / n < 1.0001);
    mc_dataset_destroy(d);
}

static void test_errors_name_line_column_and_text(void **state)
{
    assert_refused(state, "a,y\n1,0\nx2,1\n", "", MC_ERR_INPUT, "t.csv':3: column 'a': needs a number, has 'x2'");
    assert_refused(state, "a,y\n1,0\n,1\n", ",impute=refuse", MC_ERR_INPUT, ":3: column 'a': needs a number, has ''");
    assert_refused(state, "a,y\n1,0\nnan,1\n", ",missing=-", MC_ERR_INPUT, ":3: column 'a': needs a number, has 'nan'");
    assert_refused(state, "a,y\n1,0\n2,\n", "", MC_ERR_INPUT, ":3: column 'y': needs a class, has ''");
    assert_refused(state, "a,y\n1,0\n2,x\n", ",target=y", MC_ERR_INPUT, ":3: column 'y': needs a number, has 'x'");
    assert_refused(state, "a,b,y\n\"1\n2\",3,0\n4\n", "", MC_ERR_INPUT, ":4: needs 3 columns, has 1");
    assert_refused(state, "a,y\n1,0\n1,2,3\n", "", MC_ERR_INPUT, ":3: needs 2 columns, has 3");
    assert_refused(state, "a,y\n1,0\n1\n", "", MC_ERR_INPUT, ":3: needs 2 columns, has 1");
    assert_refused(state, "a,y\n\"1,0\n", "", MC_ERR_INPUT, ":2: a quote is never closed");
    assert_refused(state, "a,y\n", "", MC_ERR_INPUT, "has a header and no line after it");
    assert_refused(state, "a,y\n1,0\n2,0\n", "", MC_ERR_INPUT, "needs 2 to 65536 classes");
    assert_refused(state, "alone\n1\n", "", MC_ERR_INPUT, "needs a header of 2 to 65536 columns");
    assert_refused(state, "", "", MC_ERR_INPUT, "needs a header");
    assert_refused(state, "a,y\n1,0\n", ",label=z", MC_ERR_USAGE, "has no column 'z'");
    assert_refused(state, "a,y\n1,0\n", ",label=y,target=y", MC_ERR_USAGE, "exclude each other");
    assert_refused(state, "a,y\n1,0\n", ",separator=ab", MC_ERR_USAGE, "needs one character");
    assert_refused(state, "a,y\n1,0\n", ",drop=b", MC_ERR_USAGE, "has no column 'b'");
    assert_refused(state, "a,y\n1,0\n", ",drop=y", MC_ERR_USAGE, "column 'y' is what is to be learnt");
    assert_refused(state, "a,y\n1,0\n2,1\n", ",drop=a", MC_ERR_USAGE, "has no column left to learn from");
    assert_refused(state, "a,y\n1,0\n", ",target=a+y+a", MC_ERR_USAGE, "column 'a' is named twice");
    assert_refused(state, "a,y\n1,0\n", ",label=a+y", MC_ERR_USAGE, "needs one column, has 2");
    assert_refused(state, "a,y\n1,0\n", ",impute=best", MC_ERR_USAGE, "needs mean, median, zero or refuse");
}

static void assert_table(const char *options, const float *wanted, int64_t width)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    char spec[300];
    float x[16];
    snprintf(spec, sizeof spec, "csv:table.csv,split=0,validation=0,categorical=size%s", options);
    assert_ok(mc_dataset_open(&d, spec, MC_DATA_FILES, &err), err);
    assert_int_equal(d->sample.dim[0], width);
    for (int64_t i = 0; i < 5; i++) {
        assert_ok(d->sources[0]->read(d->sources[0], i, x, NULL, NULL, &err), err);
        for (int64_t k = 0; k < width; k++)
            if (x[k] != wanted[i * width + k]) fail_msg("row %d, feature %d: %g", (int)i, (int)k, (double)x[k]);
    }
    const struct mc_column *columns = d->sources[0]->columns;
    assert_int_equal(d->sources[0]->n_columns, 3);
    assert_string_equal(columns[0].categories[2], "red");
    assert_string_equal(columns[1].categories[2], "10");
    assert_int_equal(columns[2].n_categories, 0);
    assert_int_equal(columns[0].n_missing, 1);
    assert_int_equal(columns[2].n_missing, 2);
    mc_dataset_destroy(d);
}

static void test_categories_and_missing_numbers_agree_with_scikit_learn(void **state)
{
    assert_table("", table_mean, 7);
    assert_table(",impute=median", table_median, 7);
}

/* A category that only a test sample has is none: its features are all 0. */
static void test_categories_are_those_of_the_training_samples(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    char text[4096] = "id,word,y\n";
    for (int i = 0; i < 60; i++) sprintf(text + strlen(text), "%d,w%d,%d\n", i, i, i % 2);
    assert_ok(open_csv(state, &d, text, ",drop=id", &err), err);
    assert_int_equal(d->n[MC_DATA_TEST], 12);
    assert_int_equal(d->sample.dim[0], d->n[MC_DATA_TRAIN]);
    float x[60];
    for (int role = MC_DATA_TRAIN; role <= MC_DATA_TEST; role++)
        for (int64_t i = 0; i < d->n[role]; i++) {
            float sum = 0;
            assert_ok(mc_dataset_read(d, (enum mc_role_of_data)role, NULL, i, 1, x, NULL, NULL, 1, &err), err);
            for (int64_t k = 0; k < d->sample.dim[0]; k++) sum += x[k];
            assert_true(sum == (role == MC_DATA_TRAIN));
        }
    mc_dataset_destroy(d);
}

static void test_several_targets(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[2], t[2];
    assert_ok(open_csv(state, &d, "u,a,v\n1,2,3\n4,5,6\n", ",target=v+u", &err), err);
    assert_int_equal(d->n_targets, 2);
    assert_int_equal(d->sample.dim[0], 1);
    assert_ok(d->sources[0]->read(d->sources[0], 1, x, NULL, t, &err), err);
    assert_true(t[0] == 6 && t[1] == 4 && x[0] == 5);
    mc_dataset_destroy(d);
}

static void test_labels_are_several_answers_and_weights_count(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    float x[2], t[2];
    const char *text = "a,u,v,w\n1,0,1,2\n2,1,1,0.5\n3,1,0,0.5\n";
    assert_ok(open_csv(state, &d, text, ",labels=v+u,weight=w,split=0,validation=0", &err), err);
    assert_int_equal(d->task, MC_TASK_LABELS);
    assert_int_equal(d->n_targets, 2);
    assert_int_equal(d->sample.dim[0], 1);
    assert_string_equal(d->class_names[1], "u");
    assert_ok(d->sources[0]->read(d->sources[0], 0, x, NULL, t, &err), err);
    assert_true(t[0] == 1 && t[1] == 0);
    assert_true(d->weight_scale == 1 && d->sources[0]->weights[0] == 2);
    mc_dataset_destroy(d);
    assert_refused(state, text, ",labels=w", MC_ERR_INPUT, ":2: column 'w': needs 0 or 1, has '2'");
    assert_refused(state, "a,y,w\n1,0,-1\n2,1,1\n", ",label=y,weight=w", MC_ERR_INPUT,
                   ":2: column 'w': needs a weight of at least 0, has '-1'");
    assert_refused(state, "a,y,w\n1,0,0\n2,1,0\n", ",label=y,weight=w", MC_ERR_INPUT,
                   "weights of all training samples are 0");
    assert_refused(state, text, ",labels=u,weight=u", MC_ERR_USAGE, "column 'u' is what is to be learnt");
    assert_refused(state, text, ",labels=u,label=v", MC_ERR_USAGE, "'label' and 'labels' exclude each other");
}

/* Another table has the features and classes of the one that is trained on, wherever its columns stand. */
static void test_a_table_for_another_role_follows_the_training_samples(void **state)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    char spec[1200];
    const char *other = "word,a,y\nred,1,maybe\nred,1,no\n", *lacking = "word,y,b\nred,no,1\nred,yes,2\n";
    const char *train = "word,a,y\nred,1,no\nblue,,yes\nred,3,no\n", *test = "y,id,a,word\nyes,7,5,green\nno,8,,blue\n";
    const char *train_path = scratch_file(state, "train.csv", train, strlen(train));
    const char *test_path = scratch_file(state, "test.csv", test, strlen(test));
    snprintf(spec, sizeof spec, "csv:%s,label=y,validation=0;test=csv:%s", train_path, test_path);
    assert_ok(mc_dataset_open(&d, spec, NULL, &err), err);
    assert_int_equal(d->n[MC_DATA_TRAIN], 3);
    assert_int_equal(d->n[MC_DATA_TEST], 2);
    assert_string_equal(d->spec, "csv:train.csv,label=y,validation=0;test=csv:test.csv");
    float x[6];
    int64_t labels[2];
    assert_ok(mc_dataset_read(d, MC_DATA_TEST, NULL, 0, 2, x, labels, NULL, 1, &err), err);
    const float wanted[6] = {0, 0, 5, 1, 0, 2}; /* blue, red, a; the missing number is the mean of 1 and 3 */
    assert_memory_equal(x, wanted, sizeof wanted);
    assert_true(labels[0] == 1 && labels[1] == 0);
    mc_dataset_destroy(d);

    scratch_file(state, "test.csv", other, strlen(other));
    assert_int_equal(mc_dataset_open(&d, spec, NULL, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, ":2: column 'y': needs a class that the training samples have, has 'maybe'"));
    scratch_file(state, "test.csv", lacking, strlen(lacking));
    assert_int_equal(mc_dataset_open(&d, spec, NULL, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "has no column 'a'"));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_classes_are_sorted_by_value_and_quotes_are_taken_off),
        IN_SCRATCH(test_targets_are_numbers),
        IN_SCRATCH(test_standardizing_looks_at_training_samples_alone),
        IN_SCRATCH(test_errors_name_line_column_and_text),
        cmocka_unit_test(test_categories_and_missing_numbers_agree_with_scikit_learn),
        IN_SCRATCH(test_categories_are_those_of_the_training_samples),
        IN_SCRATCH(test_several_targets),
        IN_SCRATCH(test_labels_are_several_answers_and_weights_count),
        IN_SCRATCH(test_a_table_for_another_role_follows_the_training_samples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
