/* loader.c - batches read ahead by threads; see loader.h.
 *
 * There are two batches, one being handed out and one being read ahead. Threads take the next sample of a batch under a
 * lock and read it without; whoever waits for a batch takes samples as well.
 */
#include "data/loader.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Below so many numbers in a batch that is neither decoded nor changed, waking a thread costs more than reading. */
enum { WORTH_A_THREAD = 100000, MAX_WORKERS = 64 };

struct slot {
    bool used;
    int64_t begin, n;
    int64_t taken, done; /* samples that somebody reads or has read; that have been read */
    int64_t failed;      /* the first sample that could not be read, or n */
    int status;
    struct mc_error error;
    struct mc_batch batch;
};

struct mc_loader {
    const struct mc_dataset *data;
    enum mc_role_of_data role;
    struct mc_draw draw;
    const int64_t *order;
    int64_t capacity;
    int n_threads;

    bool prepared;
    int n_workers; /* 0: nothing is read ahead */
    pthread_t workers[MAX_WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t work, progress; /* there are samples to take; a slot's `done` has grown */
    bool closing;
    struct slot slots[2];
};

/* --- slots --- */

static int init_slot(struct slot *slot, const struct mc_loader *l, struct mc_error *err)
{
    const size_t n = (size_t)l->capacity;
    const struct mc_dataset *d = l->data;
    slot->batch = (struct mc_batch){
        .x = mc_alloc_aligned(n, (size_t)mc_shape_count(&d->sample) * sizeof(float)),
        .labels = MC_NEW_ARRAY(int64_t, n),
        .others = MC_NEW_ARRAY(int64_t, n),
        .shares = MC_NEW_ARRAY(float, n),
        .targets = mc_alloc(n, (size_t)(d->n_targets + 1) * sizeof(float)),
        .weights = MC_NEW_ARRAY(float, n),
    };
    const struct mc_batch *b = &slot->batch;
    return b->x && b->labels && b->others && b->shares && b->targets && b->weights ? MC_OK : mc_error_memory(err);
}

static void finish_slot(struct slot *slot)
{
    mc_free(slot->batch.x);
    mc_free(slot->batch.labels);
    mc_free(slot->batch.others);
    mc_free(slot->batch.shares);
    mc_free(slot->batch.targets);
    mc_free(slot->batch.weights);
}

/* Read one sample of a slot, if there is one to take; false: there was none. Called and left with the lock held. */
static bool take_sample(struct mc_loader *l, struct slot *slot)
{
    if (!slot->used || slot->taken >= slot->n) return false;
    const int64_t i = slot->taken++, position = l->order[slot->begin + i];
    pthread_mutex_unlock(&l->lock);
    struct mc_error error = {0};
    const int status = mc_dataset_draw(l->data, l->role, position, &l->draw, &slot->batch, i, &error);
    pthread_mutex_lock(&l->lock);
    if (status < 0 && i < slot->failed) {
        slot->failed = i;
        slot->status = status;
        slot->error = error;
    }
    slot->done++;
    if (slot->done >= slot->taken) pthread_cond_broadcast(&l->progress);
    return true;
}

/* Nobody takes another sample of it, and those that were taken are done. */
static void stop_slot(struct mc_loader *l, struct slot *slot)
{
    slot->n = slot->taken;
    while (slot->done < slot->taken) pthread_cond_wait(&l->progress, &l->lock);
    slot->used = false;
}

static void start_slot(struct mc_loader *l, struct slot *slot, int64_t begin, int64_t n)
{
    slot->used = true;
    slot->begin = begin;
    slot->n = slot->failed = n;
    slot->taken = slot->done = 0;
    slot->status = MC_OK;
    pthread_cond_broadcast(&l->work);
}

/* --- threads --- */

static void *work(void *context)
{
    struct mc_loader *l = context;
    pthread_mutex_lock(&l->lock);
    while (!l->closing)
        if (!take_sample(l, &l->slots[0]) && !take_sample(l, &l->slots[1])) pthread_cond_wait(&l->work, &l->lock);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Fewer threads than wanted are enough; none is as if none had been wanted. */
static void start_workers(struct mc_loader *l)
{
    const int wanted = l->n_threads - 1 < MAX_WORKERS ? l->n_threads - 1 : MAX_WORKERS;
    while (l->n_workers < wanted && pthread_create(&l->workers[l->n_workers], NULL, work, l) == 0) l->n_workers++;
}

static bool is_worth_it(const struct mc_loader *l)
{
    const int64_t size = l->capacity * mc_shape_count(&l->data->sample);
    const bool costs = l->data->from[l->role]->decodes || (l->draw.augment && !mc_augment_is_none(l->draw.augment));
    return l->n_threads > 1 && (costs || size > WORTH_A_THREAD);
}

int mc_loader_create(struct mc_loader **loader, const struct mc_dataset *data, enum mc_role_of_data role,
                     const struct mc_augment *augment, uint64_t seed, int64_t capacity, int n_threads,
                     struct mc_error *err)
{
    struct mc_loader *l = MC_NEW(struct mc_loader);
    if (!l) return mc_error_memory(err);
    l->data = data;
    l->role = role;
    l->draw = (struct mc_draw){.augment = augment, .seed = seed};
    l->capacity = capacity;
    l->n_threads = n_threads;
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->progress, NULL);
    *loader = l;
    return MC_OK;
}

void mc_loader_destroy(struct mc_loader *l)
{
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->closing = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_workers; i++) pthread_join(l->workers[i], NULL);
    for (int i = 0; i < 2; i++) finish_slot(&l->slots[i]);
    pthread_cond_destroy(&l->progress);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->lock);
    mc_free(l);
}

void mc_loader_begin(struct mc_loader *l, const int64_t *order, int64_t epoch)
{
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < 2; i++)
        if (l->slots[i].used) stop_slot(l, &l->slots[i]);
    l->order = order;
    l->draw.epoch = epoch;
    pthread_mutex_unlock(&l->lock);
}

/* --- reading --- */

static void copy(void *to, const void *from, int64_t n, size_t size)
{
    if (to && n > 0) memcpy(to, from, (size_t)n * size);
}

static void hand_out(const struct mc_loader *l, const struct slot *slot, const struct mc_batch *to)
{
    const struct mc_batch *from = &slot->batch;
    const struct mc_dataset *d = l->data;
    copy(to->x, from->x, slot->n, (size_t)mc_shape_count(&d->sample) * sizeof *to->x);
    copy(to->labels, from->labels, slot->n, sizeof *to->labels);
    copy(to->others, from->others, slot->n, sizeof *to->others);
    copy(to->shares, from->shares, slot->n, sizeof *to->shares);
    copy(to->weights, from->weights, slot->n, sizeof *to->weights);
    copy(to->targets, from->targets, slot->n, (size_t)d->n_targets * sizeof *to->targets);
}

/* The slot that has these samples or is reading them; another guess makes room for them. */
static struct slot *find_slot(struct mc_loader *l, int64_t begin, int64_t n)
{
    for (int i = 0; i < 2; i++)
        if (l->slots[i].used && l->slots[i].begin == begin && l->slots[i].n == n) return &l->slots[i];
    for (int i = 0; i < 2; i++)
        if (l->slots[i].used) stop_slot(l, &l->slots[i]);
    start_slot(l, &l->slots[0], begin, n);
    return &l->slots[0];
}

static int read_ahead(struct mc_loader *l, int64_t begin, int64_t n, const struct mc_batch *batch, struct mc_error *err)
{
    pthread_mutex_lock(&l->lock);
    struct slot *slot = find_slot(l, begin, n), *other = &l->slots[slot == &l->slots[0]];
    while (take_sample(l, slot)) {
    }
    while (slot->done < slot->n) pthread_cond_wait(&l->progress, &l->lock);
    const int rc = slot->status;
    if (rc < 0 && err) *err = slot->error;
    const int64_t next = begin + n, left = l->data->n[l->role] - next;
    if (rc == MC_OK && left > 0) start_slot(l, other, next, left < n ? left : n);
    pthread_mutex_unlock(&l->lock);
    if (rc == MC_OK) hand_out(l, slot, batch);
    pthread_mutex_lock(&l->lock);
    slot->used = false;
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* At the first read, when it is known what is done to samples. */
static int prepare(struct mc_loader *l, struct mc_error *err)
{
    int rc = MC_OK;
    l->prepared = true;
    if (!is_worth_it(l)) return MC_OK;
    for (int i = 0; rc == MC_OK && i < 2; i++) rc = init_slot(&l->slots[i], l, err);
    if (rc == MC_OK) start_workers(l);
    return rc;
}

int mc_loader_read(struct mc_loader *l, int64_t begin, int64_t n, const struct mc_batch *batch, struct mc_error *err)
{
    const int rc = l->prepared ? MC_OK : prepare(l, err);
    if (rc < 0) return rc;
    if (l->n_workers > 0) return read_ahead(l, begin, n, batch, err);
    return mc_dataset_draw_all(l->data, l->role, l->order, begin, n, &l->draw, batch, l->n_threads, err);
}
