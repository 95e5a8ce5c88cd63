/* test_peers.c - several processes at one training run, played by threads. */
#include <math.h>
#include <pthread.h>
#include <string.h>

#include "alloc_fail.h"
#include "base/alloc.h"
#include "base/peers.h"
#include "report/record.h"
#include "toy.h"

enum { MOST = 4 };

/* --- threads that can reach each other --- */

struct meeting {
    int size;
    pthread_barrier_t barrier;
    void *given[MOST]; /* by rank, what each has brought */
};

struct process {
    struct meeting *meeting;
    struct mc_peers peers;
    pthread_t thread;
    /* what it does */
    const struct toy *toy;
    struct mc_fit_options options;
    struct mc_model *model;
    struct mc_record *section;
    struct mc_assessment found;
    int64_t stops_at; /* asks to stop at this step; 0: never */
    int rc;
    struct mc_error err;
};

#define DEFINE_SUM(name, type)                                                                                         \
    static int name(void *context, type *values, size_t n)                                                             \
    {                                                                                                                  \
        struct process *p = context;                                                                                   \
        struct meeting *m = p->meeting;                                                                                \
        type *sums = MC_NEW_ARRAY(type, n);                                                                            \
        m->given[p->peers.rank] = values;                                                                              \
        pthread_barrier_wait(&m->barrier);                                                                             \
        for (int rank = 0; sums && rank < m->size; rank++)                                                             \
            for (size_t i = 0; i < n; i++) sums[i] += ((const type *)m->given[rank])[i];                               \
        pthread_barrier_wait(&m->barrier);                                                                             \
        if (sums) memcpy(values, sums, n * sizeof *values);                                                            \
        mc_free(sums);                                                                                                 \
        return sums ? MC_OK : MC_ERR_SYSTEM;                                                                           \
    }
DEFINE_SUM(sum_floats, float)
DEFINE_SUM(sum_doubles, double)

static int send_bytes(void *context, int from, void *bytes, size_t length)
{
    struct process *p = context;
    struct meeting *m = p->meeting;
    if (p->peers.rank == from) m->given[from] = bytes;
    pthread_barrier_wait(&m->barrier);
    if (p->peers.rank != from && length > 0) memcpy(bytes, m->given[from], length);
    pthread_barrier_wait(&m->barrier);
    return MC_OK;
}

static bool watch(void *context, const struct mc_progress *at)
{
    const struct process *p = context;
    return !p->stops_at || strcmp(at->what, "training") != 0 || at->done < p->stops_at;
}

static void *train(void *context)
{
    struct process *p = context;
    p->rc = mc_fit(p->model, &p->toy->data, &p->options, p->section, &p->err);
    if (p->rc == MC_OK)
        p->rc = mc_assess(p->model, &p->toy->data, MC_DATA_TEST, 0, MC_LOSS_AUTO, NULL, &p->options.runtime, &p->found,
                          &p->err);
    return NULL;
}

static void start(struct process *p, struct meeting *meeting, int rank, const struct toy *toy,
                  const struct mc_fit_options *options, bool normalizes)
{
    *p = (struct process){.meeting = meeting, .toy = toy, .options = *options};
    p->peers = (struct mc_peers){.rank = rank,
                                 .size = meeting->size,
                                 .sum_floats = sum_floats,
                                 .sum_doubles = sum_doubles,
                                 .send = send_bytes,
                                 .context = p};
    if (meeting->size > 1) p->options.runtime.peers = &p->peers;
    p->options.progress = watch;
    p->options.progress_context = p;
    p->model = toy_model(toy->labels ? "mlp:2-8-2" : "mlp:3-8-1", toy);
    if (normalizes) toy_normalize_hidden(p->model, 8);
    assert_ok(mc_record_create(&p->section, NULL), p->err);
}

static void finish(struct process *p)
{
    mc_assessment_finish(&p->found);
    mc_record_destroy(p->section);
    mc_model_destroy(p->model);
}

static void work_together(struct process *all, struct meeting *meeting)
{
    pthread_barrier_init(&meeting->barrier, NULL, (unsigned)meeting->size);
    for (int i = 0; i < meeting->size; i++) assert_int_equal(pthread_create(&all[i].thread, NULL, train, &all[i]), 0);
    for (int i = 0; i < meeting->size; i++) pthread_join(all[i].thread, NULL);
    pthread_barrier_destroy(&meeting->barrier);
}

/* --- the same as one --- */

static void compare_weights(const struct mc_model *a, const struct mc_model *b, double most)
{
    int64_t n, m;
    float *x = toy_weights(a, &n), *y = toy_weights(b, &m);
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)x[i] - y[i]) <= most)) fail_msg("weight %d: %g and %g", (int)i, (double)x[i], (double)y[i]);
    mc_free(x);
    mc_free(y);
}

static void compare_epochs(const struct mc_record *a, const struct mc_record *b)
{
    const size_t n = mc_record_size(mc_record_get(a, "epochs"));
    assert_true(n > 0 && n == mc_record_size(mc_record_get(b, "epochs")));
    for (size_t i = 0; i < n; i++) {
        const struct mc_record *x = mc_record_at(mc_record_get(a, "epochs"), i),
                               *y = mc_record_at(mc_record_get(b, "epochs"), i);
        static const char *const keys[] = {"train_loss", "validation_loss"};
        for (size_t k = 0; k < MC_COUNT(keys); k++) {
            const double one = mc_record_get_num(x, keys[k], NAN), other = mc_record_get_num(y, keys[k], NAN);
            /* what was rounded differently grows from step to step: 1.1e-5 on arm64 */
            if (!(fabs(one - other) <= 5e-5 * fabs(one))) fail_msg("epoch %d: %.9g and %.9g", (int)i, one, other);
        }
    }
}

static void compare_answers(const struct mc_assessment *a, const struct mc_assessment *b)
{
    assert_int_equal(a->metrics.n_samples, b->metrics.n_samples);
    assert_int_equal(a->outcomes.n, b->outcomes.n);
    assert_true(fabs(a->metrics.loss - b->metrics.loss) <= 1e-5);
    assert_true(fabs(a->metrics.r2 - b->metrics.r2) <= 1e-5);
    assert_true(a->metrics.accuracy == b->metrics.accuracy);
    for (int64_t i = 0; i < a->outcomes.n; i++) {
        assert_true(fabs(a->outcomes.losses[i] - b->outcomes.losses[i]) <= 1e-4);
        if (a->outcomes.kind == MC_METER_CLASSES) assert_int_equal(a->outcomes.labels[i], b->outcomes.labels[i]);
    }
}

/* With 61 samples in batches of 16 the last has 13, in batches of 20 one: less than there are processes. */
static void fit_both_ways(const struct toy *toy, int size, int64_t batch, bool normalizes, double rate)
{
    struct process alone, all[MOST];
    struct meeting one = {.size = 1}, meeting = {.size = size};
    struct mc_fit_options o = toy_options(rate, batch, 6);
    o.optimizer = MC_MOMENTUM;
    o.momentum = 0.8;
    o.patience = 10;
    start(&alone, &one, 0, toy, &o, normalizes);
    train(&alone);
    assert_ok(alone.rc, alone.err);
    for (int i = 0; i < size; i++) start(&all[i], &meeting, i, toy, &o, normalizes);
    work_together(all, &meeting);
    for (int i = 0; i < size; i++) {
        assert_ok(all[i].rc, all[i].err);
        compare_weights(all[0].model, all[i].model, 0);
        compare_weights(alone.model, all[i].model, 1e-5);
        compare_epochs(alone.section, all[i].section);
        compare_answers(&alone.found, &all[i].found);
    }
    for (int i = 0; i < size; i++) finish(&all[i]);
    finish(&alone);
}

static void test_processes_train_as_one(void **state)
{
    struct toy sides, line;
    toy_two_sides(&sides, 61);
    toy_line(&line, 61);
    for (int size = 2; size <= MOST; size++) {
        fit_both_ways(&sides, size, 16, false, 0.1);
        fit_both_ways(&sides, size, 20, true, 0.05);
        fit_both_ways(&line, size, 0, false, 0.05);
    }
    toy_destroy(&line);
    toy_destroy(&sides);
}

static void test_a_batch_of_several_passes_is_shared_pass_by_pass(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 1500);
    fit_both_ways(&toy, 2, 0, true, 0.05);
    toy_destroy(&toy);
}

static void test_a_teacher_is_asked_by_all_of_them(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 61);
    struct process alone, all[3];
    struct meeting one = {.size = 1}, meeting = {.size = 3};
    struct mc_model *teacher = toy_model("linear", &toy);
    struct mc_fit_options o = toy_options(0.1, 16, 4);
    o.teacher = teacher;
    o.alpha = 1;
    start(&alone, &one, 0, &toy, &o, false);
    train(&alone);
    for (int i = 0; i < 3; i++) start(&all[i], &meeting, i, &toy, &o, false);
    work_together(all, &meeting);
    for (int i = 0; i < 3; i++) {
        assert_ok(all[i].rc, all[i].err);
        compare_weights(alone.model, all[i].model, 1e-5);
        finish(&all[i]);
    }
    finish(&alone);
    mc_model_destroy(teacher);
    toy_destroy(&toy);
}

/* --- what one learns all learn --- */

static void test_all_stop_where_one_wants_to(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 61);
    struct process all[3];
    struct meeting meeting = {.size = 3};
    const struct mc_fit_options o = toy_options(0.1, 16, 6);
    for (int i = 0; i < 3; i++) start(&all[i], &meeting, i, &toy, &o, false);
    all[1].stops_at = 6; /* the second step of the second epoch */
    work_together(all, &meeting);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(all[i].rc, MC_INTERRUPTED);
        assert_string_equal(all[i].err.text, "interrupted");
        assert_true(all[i].peers.broken);
        compare_weights(all[0].model, all[i].model, 0);
    }
    for (int i = 0; i < 3; i++) finish(&all[i]);
    toy_destroy(&toy);
}

static void test_a_failure_of_one_is_told_by_all(void **state)
{
    struct toy toy;
    toy_two_sides(&toy, 61);
    struct process all[3];
    struct meeting meeting = {.size = 3};
    const struct mc_fit_options o = toy_options(0.1, 16, 6);
    for (int i = 0; i < 3; i++) start(&all[i], &meeting, i, &toy, &o, false);
    all[2].options.momentum = 2;
    work_together(all, &meeting);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(all[i].rc, MC_ERR_USAGE);
        assert_string_equal(all[i].err.text, "momentum needs to be in [0, 1), has 2");
        finish(&all[i]);
    }
    toy_destroy(&toy);
}

static void test_shares_are_all_of_it_and_nearly_alike(void **state)
{
    for (int size = 1; size < 6; size++)
        for (int64_t n = 0; n < 12; n++) {
            const struct mc_peers peers = {.size = size};
            int64_t next = 0;
            for (int rank = 0; rank < size; rank++) {
                int64_t begin, end;
                mc_peers_share_of(&peers, rank, n, &begin, &end);
                assert_int_equal(begin, next);
                assert_in_range(end - begin, n / size, n / size + 1);
                next = end;
            }
            assert_int_equal(next, n);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_processes_train_as_one),
        cmocka_unit_test(test_a_batch_of_several_passes_is_shared_pass_by_pass),
        cmocka_unit_test(test_a_teacher_is_asked_by_all_of_them),
        cmocka_unit_test(test_all_stop_where_one_wants_to),
        cmocka_unit_test(test_a_failure_of_one_is_told_by_all),
        cmocka_unit_test(test_shares_are_all_of_it_and_nearly_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
