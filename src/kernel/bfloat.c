/* bfloat.c - cuts a product among threads; see bfloat.h. */
#include "kernel/bfloat.h"

#include "kernel/parallel.h"

/* Multiply-accumulates that take as long as a cheap element (parallel.h). */
enum { MACS_PER_ELEMENT = 32 };

struct job {
    const struct mc_bfloat_product *p;
    const struct mc_bfloat_loops *loops;
    bool by_columns;
    int64_t step; /* rows or columns that stay together */
};

static void run_range(void *context, int64_t begin, int64_t end)
{
    const struct job *job = context;
    const struct mc_bfloat_product *p = job->p;
    if (job->by_columns)
        job->loops->run(p, 0, p->m, begin * job->step, mc_least(end * job->step, p->n));
    else
        job->loops->run(p, begin * job->step, mc_least(end * job->step, p->m), 0, p->n);
}

/* Each thread packs what it reads of both factors: the longer side of c is cut. */
void mc_bfloat_run(const struct mc_bfloat_product *p, const struct mc_bfloat_loops *loops)
{
    struct job job = {.p = p, .loops = loops, .by_columns = p->n >= p->m};
    job.step = !job.by_columns ? loops->rows : p->packed ? loops->panel : loops->lanes;
    const int64_t n = mc_divide_up(job.by_columns ? p->n : p->m, job.step);
    mc_parallel(n, mc_parallel_grain(p->m * p->n / n * p->k / MACS_PER_ELEMENT), run_range, &job);
}
