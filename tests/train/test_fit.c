/* test_fit.c - the loop of training on problems whose answer is known. */
#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "op/ops.h"
#include "report/record.h"
#include "toy.h"

static double accuracy(const struct mc_model *model, const struct toy *toy, const struct mc_fit_options *o)
{
    struct mc_error err = {0};
    struct mc_metrics m;
    assert_ok(mc_evaluate(model, &toy->data, MC_DATA_TEST, 0, MC_LOSS_AUTO, NULL, &o->runtime, &m, &err), err);
    return m.accuracy;
}

static void fit(struct mc_model *model, const struct toy *toy, const struct mc_fit_options *o)
{
    struct mc_error err = {0};
    assert_ok(mc_fit(model, &toy->data, o, NULL, &err), err);
}

static const float *data_of(const struct mc_model *model, int initializer)
{
    return model->graph->initializers[initializer]->data->data;
}

static bool same_weights(const struct mc_model *a, const struct mc_model *b)
{
    int64_t n, m;
    float *x = toy_weights(a, &n), *y = toy_weights(b, &m);
    const bool same = n == m && memcmp(x, y, (size_t)n * sizeof *x) == 0;
    mc_free(x);
    mc_free(y);
    return same;
}

struct stop {
    int64_t at;
    int64_t calls;
};

static bool stop_at(void *context, const struct mc_progress *at)
{
    struct stop *s = context;
    s->calls++;
    assert_true(at->done <= at->total);
    if (strcmp(at->what, "training") != 0) return true;
    assert_true(isfinite(at->loss) && at->samples > 0);
    return at->done < s->at;
}

/* --- it learns --- */

static void test_every_optimizer_separates_two_sides(void **state)
{
    static const struct {
        enum mc_optimizer_kind kind;
        double rate;
    } cases[] = {{MC_SGD, 0.5},   {MC_MOMENTUM, 0.1}, {MC_NESTEROV, 0.1}, {MC_ADAGRAD, 0.1}, {MC_RMSPROP, 0.01},
                 {MC_ADAM, 0.02}, {MC_ADAMW, 0.02},   {MC_LAMB, 0.05},    {MC_LION, 0.01}};
    struct toy toy;
    toy_two_sides(&toy, 200);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mc_fit_options o = toy_options(cases[i].rate, 16, 30);
        o.optimizer = cases[i].kind;
        struct mc_model *model = toy_model("mlp:2-8-2", &toy);
        fit(model, &toy, &o);
        assert_true(accuracy(model, &toy, &o) == 1);
        mc_model_destroy(model);
    }
    toy_destroy(&toy);
}

/* Losses that make numbers of classes, and cross-entropy in its other forms. */
static void test_every_loss_separates_two_sides(void **state)
{
    static const enum mc_loss_kind kinds[] = {MC_LOSS_CROSS_ENTROPY, MC_LOSS_MSE, MC_LOSS_MAE,
                                              MC_LOSS_HUBER,         MC_LOSS_BCE, MC_LOSS_KL};
    struct toy toy;
    toy_two_sides(&toy, 200);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct mc_fit_options o = toy_options(0.02, 16, 30);
        o.optimizer = MC_ADAM;
        o.loss = kinds[i];
        if (kinds[i] == MC_LOSS_CROSS_ENTROPY) {
            o.label_smoothing = 0.1;
            o.class_weights = "balanced";
        }
        struct mc_model *model = toy_model("mlp:2-8-2", &toy);
        fit(model, &toy, &o);
        assert_true(accuracy(model, &toy, &o) == 1);
        mc_model_destroy(model);
    }
    toy_destroy(&toy);
}

/* w(t) of each step is told by a run that ends there; the mean of them all is computed here. */
static void test_an_average_of_the_weights_is_kept(void **state)
{
    enum { EPOCHS = 6 };
    struct toy toy;
    toy_line(&toy, 20);
    double mean = 0;
    for (int t = -1; t < EPOCHS; t++) {
        struct mc_model *model = toy_model("linear", &toy);
        struct mc_fit_options o = toy_options(0.1, 0, t + 1);
        fit(model, &toy, &o);
        const double w = data_of(model, 0)[0], early = (1.0 + t) / (10.0 + t), decay = early < 0.3 ? early : 0.3;
        mean = t < 0 ? w : decay * mean + (1 - decay) * w;
        mc_model_destroy(model);
    }
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(0.1, 0, EPOCHS);
    o.ema = 0.3;
    fit(model, &toy, &o);
    assert_true(fabs(data_of(model, 0)[0] - mean) < 1e-6);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* What is validated is the average, and masks hold in it. */
static void test_the_average_is_what_is_validated(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_metrics m;
    toy_two_sides(&toy, 60);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    unsigned char keep[16];
    for (int i = 0; i < 16; i++) keep[i] = i % 3 != 0;
    const struct mc_value *masked[] = {model->graph->initializers[0]};
    const unsigned char *masks[] = {keep};
    struct mc_fit_options o = toy_options(0.1, 4, 3);
    o.n_masks = 1;
    o.masked = masked;
    o.masks = masks;
    o.ema = 0.99;
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_fit(model, &toy.data, &o, section, &err), err);
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
    assert_true(fabs(mc_record_get_num(section, "epochs.2.validation_loss", 0) - m.loss) < 1e-12);
    for (int i = 0; i < 16; i++) assert_true((data_of(model, 0)[i] == 0) == (i % 3 == 0));
    mc_record_destroy(section);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* Solve A w = b for four unknowns by elimination; A is positive definite. */
static void solve(double A[4][4], double b[4], double w[4])
{
    for (int i = 0; i < 4; i++)
        for (int r = i + 1; r < 4; r++) {
            const double f = A[r][i] / A[i][i];
            for (int c = i; c < 4; c++) A[r][c] -= f * A[i][c];
            b[r] -= f * b[i];
        }
    for (int i = 3; i >= 0; i--) {
        w[i] = b[i];
        for (int c = i + 1; c < 4; c++) w[i] -= A[i][c] * w[c];
        w[i] /= A[i][i];
    }
}

/* Minimum of mean (w x + b - y)^2 + l2/2 |w|^2, the bias free: (2/n X'X + l2 I) w = 2/n X'y with a column of ones. */
static void ridge(const struct toy *toy, double l2, double w[4])
{
    double A[4][4] = {{0}}, b[4] = {0};
    const int64_t n = toy->data.n[MC_DATA_TRAIN];
    for (int64_t i = 0; i < n; i++) {
        const double x[4] = {toy->x[3 * i], toy->x[3 * i + 1], toy->x[3 * i + 2], 1};
        for (int r = 0; r < 4; r++) {
            for (int c = 0; c < 4; c++) A[r][c] += 2 * x[r] * x[c] / (double)n;
            b[r] += 2 * x[r] * toy->targets[i] / (double)n;
        }
    }
    for (int i = 0; i < 3; i++) A[i][i] += l2;
    solve(A, b, w);
}

static void test_full_batch_descent_with_l2_reaches_the_ridge_solution(void **state)
{
    struct toy toy;
    toy_line(&toy, 60);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(0.2, 0, 400);
    o.l2 = 0.2;
    double wanted[4];
    ridge(&toy, o.l2, wanted);
    fit(model, &toy, &o);
    for (int i = 0; i < 3; i++) assert_true(fabs(data_of(model, 0)[i] - wanted[i]) < 1e-4);
    assert_true(fabs(data_of(model, 1)[0] - wanted[3]) < 1e-4);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* 2,500 samples take three passes of at most 1,024, and come to one step along the exact gradient. */
static void test_a_batch_of_several_passes_is_one_step(void **state)
{
    struct toy toy;
    toy_line(&toy, 2500);
    struct mc_model *model = toy_model("linear", &toy);
    double w[4] = {data_of(model, 0)[0], data_of(model, 0)[1], data_of(model, 0)[2], data_of(model, 1)[0]}, g[4] = {0};
    for (int64_t i = 0; i < 2500; i++) {
        const double x[4] = {toy.x[3 * i], toy.x[3 * i + 1], toy.x[3 * i + 2], 1};
        const double e = w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] - toy.targets[i];
        for (int k = 0; k < 4; k++) g[k] += 2 * e * x[k] / 2500;
    }
    struct mc_fit_options o = toy_options(0.25, 0, 1);
    fit(model, &toy, &o);
    for (int k = 0; k < 3; k++) assert_true(fabs(data_of(model, 0)[k] - (w[k] - 0.25 * g[k])) < 1e-6);
    assert_true(fabs(data_of(model, 1)[0] - (w[3] - 0.25 * g[3])) < 1e-6);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* --- determinism --- */

static void test_same_seed_and_threads_give_the_same_bytes(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 300);
    for (int threads = 1; threads <= 2; threads++) {
        struct mc_model *models[3];
        for (int i = 0; i < 3; i++) {
            struct mc_fit_options o = toy_options(0.1, 32, 3);
            o.optimizer = MC_ADAM;
            o.seed = i < 2 ? 7 : 8;
            mc_runtime_init(&o.runtime, threads, MC_CPU_AVX512);
            models[i] = toy_model("mlp:2-64-64-2", &toy);
            fit(models[i], &toy, &o);
        }
        assert_true(same_weights(models[0], models[1]));
        assert_false(same_weights(models[0], models[2]));
        for (int i = 0; i < 3; i++) mc_model_destroy(models[i]);
    }
    toy_destroy(&toy);
}

/* --- precision --- */

/* Weights end near those of float32, not at them; what one learnt, and how it is measured, stays. */
static void test_products_may_be_of_bfloat16(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 300);
    for (int threads = 1; threads <= 2; threads++) {
        struct mc_model *models[3];
        for (int i = 0; i < 3; i++) {
            struct mc_fit_options o = toy_options(0.1, 32, 3);
            o.bfloat16 = i < 2;
            mc_runtime_init(&o.runtime, threads, MC_CPU_AVX512);
            models[i] = toy_model("mlp:2-64-64-2", &toy);
            fit(models[i], &toy, &o);
            assert_true(accuracy(models[i], &toy, &o) > 0.97);
        }
        assert_true(same_weights(models[0], models[1]));
        assert_false(same_weights(models[0], models[2]));
        for (int k = 0; k < 64; k++) assert_true(fabs(data_of(models[0], 2)[k] - data_of(models[2], 2)[k]) < 0.01);
        for (int i = 0; i < 3; i++) mc_model_destroy(models[i]);
    }
    toy_destroy(&toy);
}

/* --- the record, early stopping --- */

static void test_the_record_has_a_line_for_each_epoch(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 50);
    struct mc_model *model = toy_model("mlp:2-4-2", &toy);
    struct mc_fit_options o = toy_options(0.5, 16, 3);
    o.rate.kind = MC_RATE_EXPONENTIAL;
    o.rate.factor = 0.5;
    struct mc_record *section;
    struct mc_metrics m;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_fit(model, &toy.data, &o, section, &err), err);
    assert_ok(mc_record_check(section, &err), err);
    assert_int_equal(mc_record_size(mc_record_get(section, "epochs")), 3);
    assert_int_equal(mc_record_get_int(section, "epochs.2.epoch", 0), 3);
    assert_true(mc_record_get_num(section, "epochs.2.rate", 0) == 0.125);
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
    assert_true(fabs(mc_record_get_num(section, "epochs.2.validation_loss", 0) - m.loss) < 1e-12);
    assert_true(mc_record_get_num(section, "epochs.2.validation_accuracy", 0) == m.accuracy);
    assert_true(mc_record_get_num(section, "epochs.0.train_loss", 0) > m.loss);
    assert_int_equal(mc_record_get_int(section, "best_epoch", 0), 3);
    mc_record_destroy(section);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_no_rate_means_the_usual_one(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 50);
    struct mc_model *stated = toy_model("mlp:2-4-2", &toy), *left_out = toy_model("mlp:2-4-2", &toy);
    struct mc_fit_options o = toy_options(0.001, 16, 2);
    o.optimizer = MC_ADAM;
    fit(stated, &toy, &o);
    o.rate.first = 0;
    fit(left_out, &toy, &o);
    assert_true(same_weights(stated, left_out));
    mc_model_destroy(stated);
    mc_model_destroy(left_out);
    toy_destroy(&toy);
}

/* A rate so large that the loss goes up and down: the weights that stay are those of the lowest validation loss. */
static void test_early_stopping_restores_the_best_weights(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 60);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    struct mc_fit_options o = toy_options(6, 4, 40);
    o.patience = 3;
    struct mc_record *section;
    struct mc_metrics m;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_fit(model, &toy.data, &o, section, &err), err);
    const int64_t best = mc_record_get_int(section, "best_epoch", 0);
    const size_t n = mc_record_size(mc_record_get(section, "epochs"));
    assert_true(best >= 1 && (size_t)best < n && n < 40);
    double lowest = INFINITY;
    for (size_t i = 0; i < n; i++) {
        const struct mc_record *epoch = mc_record_at(mc_record_get(section, "epochs"), i);
        lowest = fmin(lowest, mc_record_get_num(epoch, "validation_loss", INFINITY));
    }
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
    assert_true(fabs(m.loss - lowest) < 1e-9);
    mc_record_destroy(section);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* --- masks --- */

static void test_masked_weights_stay_zero(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 100);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    unsigned char keep[16];
    for (int i = 0; i < 16; i++) keep[i] = i % 3 != 0;
    const struct mc_value *masked[] = {model->graph->initializers[0]};
    const unsigned char *masks[] = {keep};
    struct mc_fit_options o = toy_options(0.05, 8, 5);
    o.optimizer = MC_ADAM;
    o.n_masks = 1;
    o.masked = masked;
    o.masks = masks;
    fit(model, &toy, &o);
    for (int i = 0; i < 16; i++) assert_true((data_of(model, 0)[i] == 0) == (i % 3 == 0));
    mc_model_destroy(model);
    toy_destroy(&toy);
}

struct schedule {
    unsigned char keep[16];
    const struct mc_model *model;
    int64_t steps;
    double last_progress;
};

/* Half-way through, half of the weights go. */
static int prune_halfway(void *context, int64_t step, double progress, struct mc_error *err)
{
    struct schedule *s = context;
    assert_int_equal(step, s->steps++);
    s->last_progress = progress;
    if (progress < 0.5 || !s->keep[0]) return 0;
    for (int i = 0; i < 16; i += 2) s->keep[i] = 0;
    return 1;
}

static void test_a_schedule_moves_masks_and_outdates_the_best_epoch(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 42); /* batches of 4: eleven steps, the last of two samples */
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    struct schedule schedule = {.model = model};
    memset(schedule.keep, 1, sizeof schedule.keep);
    const struct mc_value *masked[] = {model->graph->initializers[0]};
    const unsigned char *masks[] = {schedule.keep};
    struct mc_fit_options o = toy_options(0.01, 4, 10);
    o.n_masks = 1;
    o.masked = masked;
    o.masks = masks;
    o.before_step = prune_halfway;
    o.context = &schedule;
    o.patience = 100;
    struct mc_record *section;
    assert_ok(mc_record_create(&section, &err), err);
    assert_ok(mc_fit(model, &toy.data, &o, section, &err), err);
    assert_int_equal(schedule.steps, 110);
    assert_true(fabs(schedule.last_progress - 109.0 / 110) < 1e-12);
    assert_true(mc_record_get_int(section, "best_epoch", 0) > 5);
    for (int i = 0; i < 16; i++) assert_true((data_of(model, 0)[i] == 0) == (i % 2 == 0));
    mc_record_destroy(section);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* Half of the weights are hidden until the middle, and then shown. */
struct hiding {
    unsigned char keep[16];
    float start[16], shown[16];
    const struct mc_model *model;
    int64_t n_gradients;
};

static int show_halfway(void *context, int64_t step, double progress, struct mc_error *err)
{
    struct hiding *h = context;
    if (progress < 0.5 || h->keep[0]) return 0;
    memcpy(h->shown, data_of(h->model, 0), sizeof h->shown);
    memset(h->keep, 1, sizeof h->keep);
    return 1;
}

static int count_gradients(void *context, int64_t step, double progress, const float *const *gradients,
                           struct mc_error *err)
{
    struct hiding *h = context;
    for (int i = 0; i < 16; i += 2) h->n_gradients += gradients[0][i] != 0;
    return 0;
}

static struct hiding run_hidden(enum mc_masked masked_are)
{
    struct toy toy;
    toy_two_sides(&toy, 100);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    struct hiding h = {.model = model};
    const struct mc_value *masked[] = {model->graph->initializers[0]};
    const unsigned char *masks[] = {h.keep};
    struct mc_fit_options o = toy_options(0.05, 8, 4);
    for (int i = 0; i < 16; i++) h.keep[i] = i % 2 != 0;
    memcpy(h.start, data_of(model, 0), sizeof h.start);
    o.masked_are = masked_are;
    o.n_masks = 1;
    o.masked = masked;
    o.masks = masks;
    o.before_step = show_halfway;
    o.after_backward = count_gradients;
    o.context = &h;
    fit(model, &toy, &o);
    assert_true(h.n_gradients > 0);
    mc_model_destroy(model);
    toy_destroy(&toy);
    return h;
}

static void test_hidden_weights_rest_or_descend_as_they_are_told(void **state)
{
    const struct hiding zero = run_hidden(MC_MASKED_ZERO), rest = run_hidden(MC_MASKED_REST),
                        move = run_hidden(MC_MASKED_MOVE);
    int moved = 0;
    for (int i = 0; i < 16; i += 2) {
        assert_true(zero.shown[i] == 0);
        assert_true(rest.shown[i] == rest.start[i]);
        moved += move.shown[i] != move.start[i];
    }
    assert_true(moved > 4); /* units that are dead have no gradient */
    for (int i = 1; i < 16; i += 2) assert_true(zero.shown[i] == rest.shown[i] && zero.shown[i] == move.shown[i]);
}

/* Whatever went on beneath, what is validated and kept has zeros. */
static void test_hidden_weights_are_zero_in_the_end(void **state)
{
    for (int masked_are = MC_MASKED_REST; masked_are <= MC_MASKED_MOVE; masked_are++) {
        struct toy toy;
        toy_two_sides(&toy, 100);
        struct mc_model *model = toy_model("mlp:2-8-2", &toy);
        unsigned char keep[16];
        for (int i = 0; i < 16; i++) keep[i] = i % 3 != 0;
        const struct mc_value *masked[] = {model->graph->initializers[0]};
        const unsigned char *masks[] = {keep};
        struct mc_fit_options o = toy_options(0.05, 8, 3);
        struct mc_record *section;
        struct mc_metrics m;
        struct mc_error err = {0};
        o.masked_are = (enum mc_masked)masked_are;
        o.ema = 0.9;
        o.n_masks = 1;
        o.masked = masked;
        o.masks = masks;
        assert_ok(mc_record_create(&section, &err), err);
        assert_ok(mc_fit(model, &toy.data, &o, section, &err), err);
        for (int i = 0; i < 16; i++) assert_true((data_of(model, 0)[i] == 0) == (i % 3 == 0));
        assert_ok(mc_evaluate(model, &toy.data, MC_DATA_VALIDATION, 0, MC_LOSS_AUTO, NULL, &o.runtime, &m, &err), err);
        assert_true(fabs(m.loss - mc_record_get_num(section, "epochs.2.validation_loss", -1)) < 1e-9);
        mc_record_destroy(section);
        mc_model_destroy(model);
        toy_destroy(&toy);
    }
}

/* --- heads --- */

/* Put a node behind the output of a model. */
static void append_output(struct mc_model *model, const char *type)
{
    struct mc_value *old = model->graph->outputs[0], *new = mc_value_create(model->graph, "probabilities");
    assert_non_null(mc_node_create(model->graph, -1, "", type, "link", 1, &old, 1, &new));
    new->type = old->type;
    old->is_output = false;
    model->graph->n_outputs = 0;
    struct mc_error err = {0};
    assert_ok(mc_graph_add_output(model->graph, new, &err), err);
    mc_ops_bind(model);
}

static void test_a_softmax_at_the_end_is_seen_through(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 64);
    struct mc_fit_options o = toy_options(0.3, 16, 4);
    struct mc_model *plain = toy_model("mlp:2-8-2", &toy), *linked = toy_model("mlp:2-8-2", &toy);
    append_output(linked, "Softmax");
    fit(plain, &toy, &o);
    fit(linked, &toy, &o);
    assert_true(same_weights(plain, linked));
    mc_model_destroy(plain);
    mc_model_destroy(linked);
    toy_destroy(&toy);
}

/* One score for two classes, as it is and behind a Sigmoid. */
static void test_a_single_score_separates_two_classes(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 200);
    struct mc_fit_options o = toy_options(0.5, 16, 30);
    struct mc_model *models[2];
    for (int i = 0; i < 2; i++) {
        assert_ok(mc_architecture_create(&models[i], "mlp:2-8-1", NULL, 1, &err), err);
        if (i == 1) append_output(models[i], "Sigmoid");
        fit(models[i], &toy, &o);
        assert_true(accuracy(models[i], &toy, &o) == 1);
    }
    assert_true(same_weights(models[0], models[1]));
    for (int i = 0; i < 2; i++) mc_model_destroy(models[i]);
    toy_destroy(&toy);
}

static void test_squared_error_of_classes_is_against_one_hot_numbers(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_metrics m;
    toy_two_sides(&toy, 100);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(0.3, 10, 40);
    o.loss = MC_LOSS_MSE;
    fit(model, &toy, &o);
    assert_ok(mc_evaluate(model, &toy.data, MC_DATA_TEST, 0, MC_LOSS_MSE, NULL, &o.runtime, &m, &err), err);
    assert_true(m.accuracy > 0.97 && m.loss < 0.1 && m.loss > 0.01);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* --- batch normalization --- */

static bool is_all(const struct mc_model *model, const char *name, float value)
{
    const struct mc_tensor *data = mc_graph_find(model->graph, name)->data;
    for (int64_t i = 0; i < mc_tensor_count(data); i++)
        if (((const float *)data->data)[i] != value) return false;
    return true;
}

static void test_batch_statistics_are_learnt_unless_frozen(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 201); /* the last batch has nine */
    for (int frozen = 0; frozen < 2; frozen++) {
        struct mc_fit_options o = toy_options(0.1, 16, 20);
        o.freeze_batch_norm = frozen;
        struct mc_model *model = toy_model("mlp:2-8-2", &toy);
        toy_normalize_hidden(model, 8);
        fit(model, &toy, &o);
        assert_true(accuracy(model, &toy, &o) > 0.99);
        assert_false(is_all(model, "scale", 1));
        assert_int_equal(is_all(model, "mean", 0), frozen);
        assert_int_equal(is_all(model, "variance", 1), frozen);
        mc_model_destroy(model);
    }
    toy_destroy(&toy);
}

/* No gradient leads to running statistics, yet they go back with the weights when an epoch fails. */
static void test_running_statistics_are_restored_with_the_weights(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 64);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    toy_normalize_hidden(model, 8);
    struct mc_fit_options o = toy_options(0.1, 16, 1);
    struct stop stop = {.at = 3};
    o.progress = stop_at;
    o.progress_context = &stop;
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_INTERRUPTED);
    assert_true(is_all(model, "mean", 0) && is_all(model, "variance", 1) && is_all(model, "scale", 1));
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* --- batches that are a number in the file --- */

static void test_a_fixed_batch_is_opened_for_training_and_closed_again(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 50);
    struct mc_fit_options o = toy_options(0.3, 16, 2);
    struct mc_model *open = toy_model("mlp:2-8-2", &toy), *fixed = toy_model("mlp:2-8-2", &toy);
    struct mc_type *type = &fixed->graph->inputs[0]->type;
    type->dim[0] = 1;
    type->param[0] = NULL;
    fit(open, &toy, &o);
    fit(fixed, &toy, &o);
    assert_int_equal(type->dim[0], 1);
    assert_true(same_weights(open, fixed));
    mc_model_destroy(open);
    mc_model_destroy(fixed);
    toy_destroy(&toy);
}

/* A Reshape to [4, 2] in front: nothing but four samples at a time will do. */
static void insist_on_four(struct mc_model *model)
{
    struct mc_error err = {0};
    struct mc_graph *graph = model->graph;
    struct mc_tensor *shape;
    assert_ok(mc_tensor_create(&shape, MC_INT64, &(struct mc_shape){.rank = 1, .dim = {2}}, &err), err);
    mc_tensor_set_f64(shape, 0, 4);
    mc_tensor_set_f64(shape, 1, 2);
    struct mc_value *inputs[] = {graph->inputs[0], mc_graph_add_initializer(graph, "four", shape)};
    struct mc_value *out = mc_value_create(graph, "reshaped");
    assert_non_null(mc_node_create(graph, 0, "", "Reshape", "reshape", 2, inputs, 1, &out));
    assert_ok(mc_node_set_input(graph->nodes[1], 0, out, &err), err);
    mc_ops_bind(model);
    inputs[0]->type.dim[0] = 4;
}

static void test_a_batch_that_the_graph_insists_on_is_used(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 200);
    struct mc_fit_options o = toy_options(0.5, 16, 20);
    struct mc_model *model = toy_model("mlp:2-8-2", &toy);
    insist_on_four(model);
    fit(model, &toy, &o);
    toy.data.n[MC_DATA_TEST] = 199; /* the last batch is short of one */
    assert_true(accuracy(model, &toy, &o) == 1);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

/* --- distillation --- */

static void test_a_student_of_the_teacher_alone_learns_its_answers(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 200);
    struct mc_fit_options o = toy_options(0.5, 16, 30);
    struct mc_model *teacher = toy_model("mlp:2-16-2", &toy), *student = toy_model("mlp:2-4-2", &toy);
    fit(teacher, &toy, &o);
    for (int64_t i = 0; i < 200; i++) toy.labels[i] = 1 - toy.labels[i]; /* what it should not learn */
    o.teacher = teacher;
    o.alpha = 1;
    o.temperature = 2;
    fit(student, &toy, &o);
    assert_true(accuracy(student, &toy, &o) == 0);
    o.alpha = 0; /* and now the labels alone */
    fit(student, &toy, &o);
    assert_true(accuracy(student, &toy, &o) == 1);
    mc_model_destroy(teacher);
    mc_model_destroy(student);
    toy_destroy(&toy);
}

static void test_samples_without_labels_serve_a_student_of_the_teacher_alone(void **state)
{
    struct mc_error err = {0};
    struct toy known, unknown;
    toy_two_sides(&known, 200);
    toy_two_sides(&unknown, 200);
    struct mc_fit_options o = toy_options(0.5, 16, 30);
    struct mc_model *teacher = toy_model("mlp:2-16-2", &known), *student = toy_model("mlp:2-4-2", &known);
    fit(teacher, &known, &o);
    unknown.data.sources[0]->unlabelled = true;
    unknown.data.n_classes = 0;
    o.teacher = teacher;
    o.alpha = 1;
    o.patience = 40; /* the loss of the training samples is watched: there is no other */
    fit(student, &unknown, &o);
    assert_true(accuracy(student, &known, &o) > 0.99);
    o.alpha = 0.5;
    assert_int_equal(mc_fit(student, &unknown.data, &o, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "the train samples have no labels to train on, but for distillation with alpha 1");
    mc_model_destroy(teacher);
    mc_model_destroy(student);
    toy_destroy(&unknown);
    toy_destroy(&known);
}

static void test_a_student_can_be_its_own_teacher_without_moving(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 100);
    struct mc_model *student = toy_model("mlp:2-4-2", &toy), *teacher;
    assert_ok(mc_model_clone(&teacher, student, true, &err), err);
    struct mc_fit_options o = toy_options(0.5, 16, 2);
    o.teacher = teacher;
    o.alpha = 1;
    fit(student, &toy, &o);
    for (int i = 0; i < 4; i++) {
        const struct mc_tensor *a = student->graph->initializers[i]->data, *b = teacher->graph->initializers[i]->data;
        for (int64_t k = 0; k < mc_tensor_count(a); k++)
            assert_true(fabs(mc_tensor_get_f64(a, k) - mc_tensor_get_f64(b, k)) < 1e-5);
    }
    mc_model_destroy(teacher);
    mc_model_destroy(student);
    toy_destroy(&toy);
}

static void test_a_teacher_of_other_classes_is_refused(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 20);
    struct mc_model *student = toy_model("mlp:2-4-2", &toy), *teacher;
    assert_ok(mc_architecture_create(&teacher, "mlp:2-3", NULL, 1, &err), err);
    struct mc_fit_options o = toy_options(0.5, 16, 1);
    o.teacher = teacher;
    assert_int_equal(mc_fit(student, &toy.data, &o, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "teacher: output 'output': gives 3 numbers a sample, the data has 2 classes");
    mc_model_destroy(teacher);
    mc_model_destroy(student);
    toy_destroy(&toy);
}

/* --- what goes wrong --- */

static void test_a_loss_that_is_not_finite_names_step_and_rate(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_line(&toy, 40);
    struct mc_model *model = toy_model("linear", &toy), *before = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(1e30, 10, 5);
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "the loss is not finite at step 3 (epoch 1, rate 1e+30)");
    assert_string_equal(err.hint, "a smaller rate may help");
    assert_true(same_weights(model, before));
    mc_model_destroy(model);
    mc_model_destroy(before);
    toy_destroy(&toy);
}

static void test_an_interrupt_leaves_the_last_whole_epoch(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 40);
    struct mc_model *model = toy_model("mlp:2-4-2", &toy), *two_epochs = toy_model("mlp:2-4-2", &toy);
    struct mc_fit_options o = toy_options(0.1, 10, 5);
    struct stop stop = {.at = 11}; /* the third step of the third epoch */
    o.progress = stop_at;
    o.progress_context = &stop;
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_INTERRUPTED);
    o.progress = NULL;
    o.epochs = 2;
    fit(two_epochs, &toy, &o);
    assert_true(same_weights(model, two_epochs));
    mc_model_destroy(model);
    mc_model_destroy(two_epochs);
    toy_destroy(&toy);
}

static void refuse(struct mc_fit_options o, const char *text)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 10);
    struct mc_model *model = toy_model("linear", &toy);
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_ERR_USAGE);
    assert_string_equal(err.text, text);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static void test_options_out_of_range_are_refused(void **state)
{
    struct mc_fit_options o = toy_options(0.1, 4, 1);
    o.momentum = 1;
    refuse(o, "momentum needs to be in [0, 1), has 1");
    o = toy_options(-1, 4, 1);
    refuse(o, "the rate needs to be positive, has -1");
    o = toy_options(0.1, 4, 1);
    o.l1 = NAN;
    refuse(o, "l1 needs to be at least 0, has nan");
    o = toy_options(0.1, 4, 1);
    o.augment = "shift";
    refuse(o, "augment: 'shift' needs images [C, H, W], the data's samples have 1 dimensions");
}

static void test_samples_of_another_shape_are_refused(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    toy_two_sides(&toy, 10);
    struct mc_model *model;
    assert_ok(mc_architecture_create(&model, "mlp:3-2", NULL, 1, &err), err);
    struct mc_fit_options o = toy_options(0.1, 4, 1);
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_ERR_INPUT);
    assert_string_equal(err.text, "input 'input': needs samples of shape [3], the data's are [2]");
    mc_model_destroy(model);
    toy_destroy(&toy);
}

static int attempt(void *context)
{
    struct toy *toy = context;
    struct mc_model *model = NULL, *teacher = NULL;
    struct mc_fit_options o = toy_options(0.1, 4, 2);
    o.optimizer = MC_ADAM;
    o.patience = 1;
    o.ema = 0.9;
    o.class_weights = "balanced";
    int rc = mc_architecture_create(&model, "mlp:2-3-2", &toy->data, 1, NULL);
    if (rc == MC_OK) rc = mc_architecture_create(&teacher, "linear", &toy->data, 1, NULL);
    if (rc == MC_OK) {
        o.teacher = teacher;
        rc = mc_fit(model, &toy->data, &o, NULL, NULL);
    }
    mc_model_destroy(model);
    mc_model_destroy(teacher);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 10);
    alloc_fail_each(attempt, &toy);
    toy_destroy(&toy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_optimizer_separates_two_sides),
        cmocka_unit_test(test_every_loss_separates_two_sides),
        cmocka_unit_test(test_an_average_of_the_weights_is_kept),
        cmocka_unit_test(test_the_average_is_what_is_validated),
        cmocka_unit_test(test_full_batch_descent_with_l2_reaches_the_ridge_solution),
        cmocka_unit_test(test_a_batch_of_several_passes_is_one_step),
        cmocka_unit_test(test_same_seed_and_threads_give_the_same_bytes),
        cmocka_unit_test(test_products_may_be_of_bfloat16),
        cmocka_unit_test(test_the_record_has_a_line_for_each_epoch),
        cmocka_unit_test(test_no_rate_means_the_usual_one),
        cmocka_unit_test(test_early_stopping_restores_the_best_weights),
        cmocka_unit_test(test_masked_weights_stay_zero),
        cmocka_unit_test(test_a_schedule_moves_masks_and_outdates_the_best_epoch),
        cmocka_unit_test(test_hidden_weights_rest_or_descend_as_they_are_told),
        cmocka_unit_test(test_hidden_weights_are_zero_in_the_end),
        cmocka_unit_test(test_a_softmax_at_the_end_is_seen_through),
        cmocka_unit_test(test_a_single_score_separates_two_classes),
        cmocka_unit_test(test_squared_error_of_classes_is_against_one_hot_numbers),
        cmocka_unit_test(test_batch_statistics_are_learnt_unless_frozen),
        cmocka_unit_test(test_running_statistics_are_restored_with_the_weights),
        cmocka_unit_test(test_a_fixed_batch_is_opened_for_training_and_closed_again),
        cmocka_unit_test(test_a_batch_that_the_graph_insists_on_is_used),
        cmocka_unit_test(test_a_student_of_the_teacher_alone_learns_its_answers),
        cmocka_unit_test(test_samples_without_labels_serve_a_student_of_the_teacher_alone),
        cmocka_unit_test(test_a_student_can_be_its_own_teacher_without_moving),
        cmocka_unit_test(test_a_teacher_of_other_classes_is_refused),
        cmocka_unit_test(test_a_loss_that_is_not_finite_names_step_and_rate),
        cmocka_unit_test(test_an_interrupt_leaves_the_last_whole_epoch),
        cmocka_unit_test(test_options_out_of_range_are_refused),
        cmocka_unit_test(test_samples_of_another_shape_are_refused),
        cmocka_unit_test(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
