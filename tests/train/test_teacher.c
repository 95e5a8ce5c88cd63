/* test_teacher.c - scores known beforehand and scores computed batch by batch are the same scores. */
#include <math.h>
#include <string.h>

#include "scratch.h"
#include "toy.h"
#include "train/teacher.h"

enum { N = 30, K = 2 };

static void init(struct mc_teacher *teacher, struct mc_feed *feed, const struct toy *toy,
                 const struct mc_fit_options *o)
{
    struct mc_error err = {0};
    assert_ok(mc_feed_init(feed, &toy->data, MC_DATA_TRAIN, MC_LOSS_CROSS_ENTROPY, K, N, o, &err), err);
    assert_ok(mc_feed_augment(feed, o->augment, &err), err);
    assert_ok(mc_teacher_init(teacher, o->teacher, o, feed, N, &err), err);
}

/* What the plain formula w x + b gives for a linear teacher. */
static float score(const struct mc_model *model, const float *x, int k)
{
    const float *w = model->graph->initializers[0]->data->data, *b = model->graph->initializers[1]->data->data;
    return w[2 * k] * x[0] + w[2 * k + 1] * x[1] + b[k];
}

static void test_scores_follow_the_order_of_the_epoch(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_teacher teacher;
    struct mc_feed feed;
    toy_two_sides(&toy, N);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(1, 1, 1);
    o.teacher = model;
    init(&teacher, &feed, &toy, &o);
    assert_non_null(teacher.known);
    for (int epoch = 0; epoch < 2; epoch++) {
        float x[2 * N];
        const float *scores;
        mc_feed_shuffle(&feed, epoch);
        assert_ok(mc_feed_read(&feed, 10, 20, x, &err), err);
        assert_ok(mc_teacher_scores(&teacher, &feed, 10, 20, x, &scores, &err), err);
        for (int i = 0; i < 20 * K; i++) assert_true(fabsf(scores[i] - score(model, x + 2 * (i / K), i % K)) < 1e-6F);
    }
    mc_teacher_finish(&teacher);
    mc_feed_finish(&feed);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_shifted_samples_are_asked_about_as_they_are(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_teacher teacher;
    struct mc_feed feed;
    toy_two_sides(&toy, N);
    struct mc_model *model = toy_model("linear", &toy);
    toy.data.sample = (struct mc_shape){.rank = 3, .dim = {1, 1, 2}};
    struct mc_fit_options o = toy_options(1, 1, 1);
    o.teacher = model;
    o.augment = "shift";
    init(&teacher, &feed, &toy, &o);
    assert_null(teacher.known);
    float x[2 * N];
    const float *scores;
    mc_feed_shuffle(&feed, 0);
    assert_ok(mc_feed_read(&feed, 0, N, x, &err), err);
    assert_ok(mc_teacher_scores(&teacher, &feed, 0, N, x, &scores, &err), err);
    for (int i = 0; i < N * K; i++) assert_true(fabsf(scores[i] - score(model, x + 2 * (i / K), i % K)) < 1e-6F);
    mc_teacher_finish(&teacher);
    mc_feed_finish(&feed);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* The second time nobody is asked; another model, other samples and a damaged file are not taken for it. */
static void test_scores_are_kept_on_disk(void **state)
{
    struct toy toy;
    struct mc_teacher teacher;
    struct mc_feed feed;
    float kept[N * K];
    toy_two_sides(&toy, N);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(1, 1, 1);
    o.teacher = model;
    o.teacher_cache = scratch_path(state, "scores");
    for (int turn = 0; turn < 5; turn++) {
        static const bool known[] = {false, true, false, false,
                                     true}; /* nothing, all, another model, others, model again */
        float *w = model->graph->initializers[0]->data->data;
        if (turn == 2) w[0] += 1;
        if (turn == 3) toy.x[5] += 1;
        if (turn == 4) w[0] -= 1, toy.x[5] -= 1;
        init(&teacher, &feed, &toy, &o);
        assert_true(teacher.from_cache == known[turn]);
        if (turn == 0) memcpy(kept, teacher.known, sizeof kept);
        if (turn == 1 || turn == 4) assert_memory_equal(kept, teacher.known, sizeof kept);
        mc_teacher_finish(&teacher);
        mc_feed_finish(&feed);
    }
    assert_int_equal(scratch_count(state), 3);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_follow_the_order_of_the_epoch),
        cmocka_unit_test(test_shifted_samples_are_asked_about_as_they_are),
        cmocka_unit_test_setup_teardown(test_scores_are_kept_on_disk, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
