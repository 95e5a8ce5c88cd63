/* test_loader.c - what is read ahead is what would be read: for any number of threads, order and size of batches. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "data/loader.h"

enum { N = 50, C = 1, SIDE = 28, SIZE = SIDE * SIDE, BATCH = 16 };

static struct mc_dataset *open_data(const char *options)
{
    struct mc_error err = {0};
    struct mc_dataset *d;
    char spec[128];
    snprintf(spec, sizeof spec, "glyphs,train=%d,test=1,validation=0%s", N, options);
    assert_ok(mc_dataset_open(&d, spec, NULL, &err), err);
    return d;
}

struct epoch {
    float x[N * SIZE];
    int64_t labels[N], others[N];
    float shares[N];
};

static struct mc_loader *make_loader(const struct mc_dataset *d, uint64_t seed, int n_threads)
{
    struct mc_error err = {0};
    struct mc_loader *l;
    assert_ok(mc_loader_create(&l, d, MC_DATA_TRAIN, &d->augment, seed, BATCH, n_threads, &err), err);
    return l;
}

static void read_epoch(struct mc_loader *l, const int64_t *order, int64_t epoch, int64_t batch, struct epoch *e)
{
    struct mc_error err = {0};
    mc_loader_begin(l, order, epoch);
    for (int64_t begin = 0; begin < N; begin += batch) {
        const int64_t n = N - begin < batch ? N - begin : batch;
        const struct mc_batch b = {e->x + begin * SIZE, e->labels + begin, e->others + begin, e->shares + begin, NULL};
        assert_ok(mc_loader_read(l, begin, n, &b, &err), err);
    }
}

static struct epoch *new_epoch(void)
{
    struct epoch *e = calloc(1, sizeof *e);
    assert_non_null(e);
    return e;
}

static void test_batches_depend_on_seed_and_epoch_alone(void **state)
{
    struct mc_dataset *d = open_data(",augment=crop:3+flip+rotate:10+mixup:0.5");
    int64_t order[N];
    for (int i = 0; i < N; i++) order[i] = (i * 7) % N;
    struct epoch *one = new_epoch(), *other = new_epoch();
    struct mc_loader *l = make_loader(d, 5, 1);
    read_epoch(l, order, 3, BATCH, one);
    mc_loader_destroy(l);
    for (int n_threads = 2; n_threads <= 5; n_threads++)
        for (int64_t batch = 5; batch <= BATCH; batch += 11) {
            l = make_loader(d, 5, n_threads);
            read_epoch(l, order, 2, batch, other); /* whatever came before */
            assert_memory_not_equal(one, other, sizeof *one);
            read_epoch(l, order, 3, batch, other);
            assert_memory_equal(one, other, sizeof *one);
            mc_loader_destroy(l);
        }
    l = make_loader(d, 6, 2);
    read_epoch(l, order, 3, BATCH, other);
    assert_memory_not_equal(one, other, sizeof *one);
    mc_loader_destroy(l);
    free(one);
    free(other);
    mc_dataset_destroy(d);
}

/* x of the mixture is what its two labels and its share say of plain samples: checked on sums over the pixels. */
static void test_mixup_mixes_two_samples_and_says_which(void **state)
{
    struct mc_dataset *d = open_data(",augment=mixup:1");
    struct mc_error err = {0};
    int64_t order[N];
    static float plain[N * SIZE];
    int64_t labels[N];
    int mixed = 0;
    for (int i = 0; i < N; i++) order[i] = i;
    assert_ok(mc_dataset_read(d, MC_DATA_TRAIN, NULL, 0, N, plain, labels, NULL, 1, &err), err);
    struct epoch *e = new_epoch();
    struct mc_loader *l = make_loader(d, 1, 2);
    read_epoch(l, order, 0, BATCH, e);
    for (int i = 0; i < N; i++) {
        assert_int_equal(e->labels[i], labels[i]);
        assert_true(e->shares[i] >= 0 && e->shares[i] <= 1);
        bool found = false;
        for (int k = 0; k < N && !found; k++) {
            if (labels[k] != e->others[i]) continue;
            found = true;
            for (int p = 0; p < SIZE && found; p++) {
                const float a = e->shares[i], wanted = a * plain[i * SIZE + p] + (1 - a) * plain[k * SIZE + p];
                found = e->x[i * SIZE + p] > wanted - 1e-6F && e->x[i * SIZE + p] < wanted + 1e-6F;
            }
        }
        assert_true(found);
        mixed += e->shares[i] < 0.9F;
    }
    assert_true(mixed > N / 2);
    mc_loader_destroy(l);
    free(e);
    mc_dataset_destroy(d);
}

/* --- what cannot be read --- */

static int read_broken(const struct mc_source *source, int64_t i, float *x, int64_t *label, float *target,
                       struct mc_error *err)
{
    (void)source, (void)target;
    if (i == 9 || i == 21) return mc_error_set(err, MC_ERR_INPUT, "sample %d is broken", (int)i);
    if (x) memset(x, 0, SIZE * sizeof *x);
    if (label) *label = 0;
    return MC_OK;
}

static void test_the_first_sample_that_cannot_be_read_is_told(void **state)
{
    struct mc_dataset *d = open_data(",augment=crop:1");
    d->sources[MC_DATA_TRAIN]->read = read_broken;
    int64_t order[N];
    for (int i = 0; i < N; i++) order[d->index[MC_DATA_TRAIN][i]] = i; /* sample i at place i */
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        struct mc_error err = {0};
        static float x[BATCH * SIZE];
        const struct mc_batch b = {.x = x};
        struct mc_loader *l = make_loader(d, 1, n_threads);
        mc_loader_begin(l, order, 0);
        assert_ok(mc_loader_read(l, 0, 8, &b, &err), err);
        assert_int_equal(mc_loader_read(l, 8, 16, &b, &err), MC_ERR_INPUT);
        assert_string_equal(err.text, "sample 9 is broken");
        assert_ok(mc_loader_read(l, 30, 10, &b, &err), err); /* and it goes on */
        mc_loader_destroy(l);                                /* while the next batch is being read */
    }
    mc_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_depend_on_seed_and_epoch_alone),
        cmocka_unit_test(test_mixup_mixes_two_samples_and_says_which),
        cmocka_unit_test(test_the_first_sample_that_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
