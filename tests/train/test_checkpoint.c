/* test_checkpoint.c - a run that is stopped after any step and goes on elsewhere ends as one that nobody disturbed. */
#include <math.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "base/archive.h"
#include "op/ops.h"
#include "report/record.h"
#include "scratch.h"
#include "toy.h"

enum { SAMPLES = 42, BATCH = 16, EPOCHS = 4, STEPS = 3 * EPOCHS };

/* Put a node of one input on the way from the first Gemm to its Relu. */
static void put_between(struct mc_model *model, const char *type)
{
    struct mc_error err = {0};
    struct mc_node *relu = model->graph->nodes[1];
    struct mc_value *in = relu->inputs[0], *out = mc_value_create(model->graph, "between");
    assert_non_null(mc_node_create(model->graph, 1, "", type, "between", 1, &in, 1, &out));
    assert_ok(mc_node_set_input(relu, 0, out, &err), err);
    mc_ops_bind(model);
}

static struct mc_model *make_model(const struct toy *toy)
{
    struct mc_model *model = toy_model("mlp:2-8-2", toy);
    put_between(model, "Dropout");
    return model;
}

/* A schedule that masks one more weight every third step, counting by itself. */
struct schedule {
    unsigned char keep[16];
    const unsigned char *masks[1];
    const struct mc_value *masked[1];
    int64_t calls;
};

static int mask_more(void *context, int64_t step, double progress, struct mc_error *err)
{
    struct schedule *s = context;
    if (s->calls++ % 3 != 0) return 0;
    s->keep[s->calls / 3] = 0;
    return 1;
}

static void schedule_init(struct schedule *s, const struct mc_model *model, struct mc_fit_options *o)
{
    *s = (struct schedule){.masks = {s->keep}, .masked = {model->graph->initializers[0]}};
    memset(s->keep, 1, sizeof s->keep);
    o->n_masks = 1;
    o->masked = s->masked;
    o->masks = s->masks;
    o->before_step = mask_more;
    o->context = s;
    o->kept = &s->calls;
    o->kept_bytes = sizeof s->calls;
}

static bool stop_at(void *context, const struct mc_progress *at)
{
    const int64_t *last = context;
    return at->done < *last;
}

/* A run of its own; stopped after `stop` steps unless that is 0. */
static int run(const struct toy *toy, struct mc_fit_options o, bool scheduled, int64_t stop, struct mc_model **model,
               struct mc_record **record, struct mc_error *err)
{
    struct schedule schedule;
    *model = make_model(toy);
    if (scheduled) schedule_init(&schedule, *model, &o);
    if (stop) {
        o.progress = stop_at;
        o.progress_context = &stop;
    }
    assert_ok(mc_record_create(record, err), *err);
    return mc_fit(*model, &toy->data, &o, *record, err);
}

static void assert_same(const struct mc_model *a, const struct mc_model *b, const char *name, int stop)
{
    int64_t n, m;
    float *x = toy_weights(a, &n), *y = toy_weights(b, &m);
    if (n != m || memcmp(x, y, (size_t)n * sizeof *x) != 0) fail_msg("%s, stopped after step %d", name, stop);
    mc_free(x);
    mc_free(y);
}

/* The figures of every epoch but its time. */
static void assert_same_lines(const struct mc_record *a, const struct mc_record *b)
{
    static const char *const keys[] = {"epoch", "rate", "train_loss", "validation_loss", "validation_accuracy"};
    const struct mc_record *x = mc_record_get(a, "epochs"), *y = mc_record_get(b, "epochs");
    assert_int_equal(mc_record_size(x), mc_record_size(y));
    for (size_t i = 0; i < mc_record_size(x); i++)
        for (int k = 0; k < 5; k++) {
            const double p = mc_record_get_num(mc_record_at(x, i), keys[k], -1);
            assert_true(p == mc_record_get_num(mc_record_at(y, i), keys[k], -2));
        }
    assert_int_equal(mc_record_get_int(a, "best_epoch", -1), mc_record_get_int(b, "best_epoch", -2));
}

static void check(void **state, const struct toy *toy, struct mc_fit_options o, bool scheduled, const char *name)
{
    struct mc_error err = {0};
    struct mc_model *whole, *model;
    struct mc_record *wanted, *record;
    assert_ok(run(toy, o, scheduled, 0, &whole, &wanted, &err), err);
    const int steps = 3 * (int)mc_record_size(mc_record_get(wanted, "epochs"));
    for (int stop = 1; stop <= steps; stop++) {
        o.checkpoint = scratch_path(state, name);
        o.checkpoint_seconds = stop % 2 ? 0 : 1e9; /* written at every step, or when it is stopped */
        o.resume = false;
        assert_int_equal(run(toy, o, scheduled, stop, &model, &record, &err), MC_INTERRUPTED);
        mc_model_destroy(model);
        mc_record_destroy(record);
        o.resume = true;
        for (int again = 0; again < 2; again++) { /* the second finds a run that is over */
            assert_ok(run(toy, o, scheduled, 0, &model, &record, &err), err);
            assert_same(model, whole, name, stop);
            assert_same_lines(record, wanted);
            mc_model_destroy(model);
            mc_record_destroy(record);
        }
    }
    mc_model_destroy(whole);
    mc_record_destroy(wanted);
}

static void test_a_stopped_run_ends_as_one_undisturbed(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, SAMPLES);
    struct mc_fit_options o = toy_options(0.1, BATCH, EPOCHS);
    check(state, &toy, o, false, "sgd");
    o.optimizer = MC_NESTEROV;
    o.rate.kind = MC_RATE_PLATEAU;
    o.rate.factor = 0.5;
    o.rate.n_milestones = 1;
    check(state, &toy, o, false, "nesterov");
    o = toy_options(0.05, BATCH, EPOCHS);
    o.optimizer = MC_ADAM;
    o.rate.kind = MC_RATE_COSINE;
    o.rate.warmup = 1;
    o.ema = 0.9;
    o.patience = 1;
    o.min_delta = 0.1;
    check(state, &toy, o, false, "adam");
    o.optimizer = MC_LAMB;
    o.l1 = 0.01;
    o.patience = 0;
    check(state, &toy, o, true, "lamb");
    struct mc_model *teacher = toy_model("mlp:2-6-2", &toy);
    o.l1 = 0;
    o.teacher = teacher;
    o.hints = "relu1";
    o.last_temperature = 1;
    check(state, &toy, o, false, "hints");
    mc_model_destroy(teacher);
    toy_destroy(&toy);
}

static void test_hidden_weights_are_found_again(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, SAMPLES);
    struct mc_fit_options o = toy_options(0.1, BATCH, EPOCHS);
    o.optimizer = MC_ADAM;
    o.masked_are = MC_MASKED_MOVE;
    check(state, &toy, o, true, "hidden");
    toy_destroy(&toy);
}

static void test_no_file_is_a_fresh_start(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_model *a, *b;
    struct mc_record *r, *s;
    toy_two_sides(&toy, SAMPLES);
    struct mc_fit_options o = toy_options(0.1, BATCH, 1);
    assert_ok(run(&toy, o, false, 0, &a, &r, &err), err);
    o.checkpoint = scratch_path(state, "absent");
    o.resume = true;
    assert_ok(run(&toy, o, false, 0, &b, &s, &err), err);
    assert_same(a, b, "fresh", 0);
    assert_int_equal(scratch_count(state), 1); /* and no file beside it */
    mc_model_destroy(a);
    mc_model_destroy(b);
    mc_record_destroy(r);
    mc_record_destroy(s);
    toy_destroy(&toy);
}

/* What `change` makes of the options of a stopped run is told. */
static void refuse(void **state, const struct toy *toy, struct mc_fit_options o, const char *says)
{
    struct mc_error err = {0};
    struct mc_model *model;
    struct mc_record *record;
    char text[512];
    o.resume = true;
    o.checkpoint = scratch_path(state, "c");
    assert_int_equal(run(toy, o, false, 0, &model, &record, &err), MC_ERR_INPUT);
    snprintf(text, sizeof text, "checkpoint '%s': %s", o.checkpoint, says);
    assert_string_equal(err.text, text);
    mc_model_destroy(model);
    mc_record_destroy(record);
}

static void test_a_run_with_other_options_is_refused(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    struct mc_model *model;
    struct mc_record *record;
    toy_two_sides(&toy, SAMPLES);
    const struct mc_fit_options o = toy_options(0.1, BATCH, EPOCHS);
    struct mc_fit_options other = o;
    other.checkpoint = scratch_path(state, "c");
    assert_int_equal(run(&toy, other, false, 2, &model, &record, &err), MC_INTERRUPTED);
    assert_non_null(strstr(err.hint, "--resume goes on"));
    mc_model_destroy(model);
    mc_record_destroy(record);
    other = o;
    other.epochs = 5;
    refuse(state, &toy, other, "was made by a run with 'epochs 4', this one has 'epochs 5'");
    other = o;
    other.seed = 9;
    refuse(state, &toy, other, "was made by a run with 'seed 1', this one has 'seed 9'");
    other = o;
    other.l2 = 0.5;
    refuse(state, &toy, other, "was made by a run with 'l2 0', this one has 'l2 0.5'");
    other = o;
    other.bfloat16 = true;
    refuse(state, &toy, other, "was made by a run with 'precision float32', this one has 'precision bfloat16'");
    toy_destroy(&toy);
}

/* Weights that are gone are not saved over weights that are good. */
static void test_a_loss_that_is_not_finite_names_the_checkpoint(void **state)
{
    struct mc_error err = {0};
    struct toy toy;
    char hint[512];
    toy_line(&toy, 40);
    struct mc_model *model = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(1e30, 10, 5);
    o.checkpoint = scratch_path(state, "c");
    o.checkpoint_seconds = 0;
    assert_int_equal(mc_fit(model, &toy.data, &o, NULL, &err), MC_ERR_INPUT);
    snprintf(hint, sizeof hint, "a smaller rate may help; '%s' has the last good state", o.checkpoint);
    assert_string_equal(err.hint, hint);
    struct mc_archive archive;
    float w[3];
    assert_ok(mc_archive_open(&archive, o.checkpoint, 1 << 20, 100, &err), err);
    assert_ok(mc_archive_get(&archive, "value/fc1.weight", w, sizeof w, &err), err);
    for (int i = 0; i < 3; i++) assert_true(isfinite(w[i]));
    mc_archive_close(&archive);
    mc_model_destroy(model);
    toy_destroy(&toy);
}

struct attempt {
    struct toy toy;
    const char *path;
    bool resume;
};

static int attempt(void *context)
{
    const struct attempt *a = context;
    struct mc_model *model = NULL;
    struct mc_fit_options o = toy_options(0.1, BATCH, 2);
    o.optimizer = MC_ADAM;
    o.ema = 0.9;
    o.checkpoint = a->path;
    o.resume = a->resume;
    int rc = mc_architecture_create(&model, "mlp:2-3-2", &a->toy.data, 1, NULL);
    if (rc == MC_OK) rc = mc_fit(model, &a->toy.data, &o, NULL, NULL);
    mc_model_destroy(model);
    return rc;
}

static void test_any_allocation_may_fail(void **state)
{
    struct attempt a = {.path = scratch_path(state, "c")};
    toy_two_sides(&a.toy, SAMPLES);
    alloc_fail_each(attempt, &a);
    a.resume = true;
    alloc_fail_each(attempt, &a);
    toy_destroy(&a.toy);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_a_stopped_run_ends_as_one_undisturbed),
        IN_SCRATCH(test_hidden_weights_are_found_again),
        IN_SCRATCH(test_no_file_is_a_fresh_start),
        IN_SCRATCH(test_a_run_with_other_options_is_refused),
        IN_SCRATCH(test_a_loss_that_is_not_finite_names_the_checkpoint),
        IN_SCRATCH(test_any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
