/* recurrence.h - what the walks along a sequence share, forward and back, for recurrence_*.c and recurrent.c alone. */
#ifndef MC_OP_RECURRENCE_H
#define MC_OP_RECURRENCE_H

#include <math.h>

#include "kernel/bytes.h"
#include "kernel/cell.h"
#include "kernel/kernels.h"
#include "kernel/packed.h"
#include "op/move.h"
#include "op/ops.h"
#include "op/recurrent_activation.h"

enum mc_recurrent_cell { RNN, GRU, LSTM };
enum mc_recurrent_input { X, W, R, B, LENGTHS, H_0, C_0, P };

static inline enum mc_recurrent_cell mc_recurrent_cell_of(const struct mc_node *node)
{
    return node->op->type[0] == 'L' ? LSTM : node->op->type[0] == 'G' ? GRU : RNN;
}

struct mc_recurrent_extents {
    bool samples_first;
    int64_t T, N, I, H, D, G;
};

/* MC_ERR_INPUT for attributes that cannot be. */
int mc_recurrent_extents_of(const struct mc_node *node, const struct mc_shape *x, const struct mc_shape *r,
                            struct mc_recurrent_extents *e, struct mc_error *err);

/* The matrices of a direction that the state meets, packed: all gates; or for a GRU that resets before the product the
 * first two gates and then the third. Empty: they are not packed. */
struct mc_recurrence_packed {
    struct mc_packed *r[2][2];
};

struct mc_recurrence {
    struct mc_recurrent_extents e;
    const struct mc_recurrence_packed *packed;
    const struct mc_bfloat_loops *bfloats;
    const struct mc_cells *cells; /* NULL: anything but float32 with the usual activations */
    const void *reset_bias;       /* [H]: GRU: of the product that is reset */
    enum mc_recurrent_cell cell;
    enum mc_dtype dtype;
    bool before_reset, coupled;
    const struct mc_byte_loops *rounds; /* LSTM: a state meets its matrix rounded to 8 bits; NULL: as it is */
    double clip;                        /* 0: none */
    struct mc_activation f, g, h_of;    /* h_of: of LSTM's state */
    int direction;
    bool reverse;
    struct mc_tensor *const *in;
    struct mc_tensor *y; /* NULL: nobody asked */
    /* Workspace, in elements of dtype. */
    char *bias;    /* [G H] */
    char *gates;   /* [T N, G H]: x w^T + biases */
    char *through; /* [N, G H]: h r^T of this turn */
    char *h, *c;   /* [N, H] */
    char *masked;  /* [N, H]: GRU: r times h */
    /* Training: all turns are kept, see struct mc_recurrence_kept. */
    struct mc_recurrence_kept *kept;
    const struct mc_loops *loops;
    struct mc_tensor *const *grad_in, *const *grad_out;
    double *d_bias, *d_peepholes;  /* [G H], [3, H] */
    char *dh, *dc, *d_masked;      /* [N, H]: gradients by the states, and by what a GRU masks */
    char *became, *slopes;         /* [G H]: what the gates of one sample became */
    char *squashed, *squash_slope; /* [H]: LSTM: the same of its state */
};

/* What forward leaves for backward, of one direction: gates and `through` of every turn (of a GRU the first two gates
 * of `through` are what they became, and of the gates what they were before if that is not the usual), and the states
 * before each turn and after the last. Going back, the gradients by both take their places. */
struct mc_recurrence_kept {
    char *gates;   /* [T N, G H], as x lies */
    char *through; /* [T, N, G H], turn by turn */
    char *h, *c;   /* [T + 1, N, H] */
    char *masked;  /* [T, N, H] */
};

/* Begin a walk in `step`; all: the activations of both directions. */
int mc_recurrence_init(struct mc_recurrence *job, const struct mc_step *step, struct mc_activation all[6],
                       struct mc_error *err);
/* Begin one direction of it. Needs `bias`. */
void mc_recurrence_turn_to(struct mc_recurrence *job, const struct mc_step *step, int direction,
                           const struct mc_activation *all);
/* The states of a direction, [N, H], out of a [D, N, H] or [N, D, H] tensor, or zeros if that is NULL; */
void mc_recurrence_load(const struct mc_recurrence *job, const struct mc_tensor *from, char *to);
/* and into one, if it is not NULL. */
void mc_recurrence_store(const struct mc_recurrence *job, const char *from, struct mc_tensor *to);
/* What forward leaves of a direction in the step's `saved`. */
struct mc_recurrence_kept mc_recurrence_kept(const struct mc_recurrent_extents *e, int direction, void *saved,
                                             size_t size);

int mc_recurrent_prepare(struct mc_step *step, struct mc_error *err);
void mc_recurrent_release(struct mc_step *step);
int mc_recurrent_forward(struct mc_step *step, struct mc_error *err);
int mc_recurrent_backward(struct mc_step *step, struct mc_error *err);
/* Bytes of workspace that the way back takes. */
size_t mc_recurrent_room_back(const struct mc_recurrent_extents *e, size_t size);

/* --- elements and places --- */

/* GRU and RNN have no such input: there is nothing to look at. */
static inline bool has_peepholes(const struct mc_recurrence *job)
{
    return job->cell == LSTM && job->in[P];
}

static inline double get(const struct mc_recurrence *job, const void *data, int64_t i)
{
    return job->dtype == MC_FLOAT ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static inline void set(const struct mc_recurrence *job, void *data, int64_t i, double v)
{
    if (job->dtype == MC_FLOAT)
        ((float *)data)[i] = (float)v;
    else
        ((double *)data)[i] = v;
}

static inline double act(const struct mc_recurrence *job, const struct mc_activation *a, double x)
{
    if (job->clip > 0) x = fmin(fmax(x, -job->clip), job->clip);
    return a->f(x, a->alpha, a->beta);
}

static inline int64_t length_of(const struct mc_recurrence *job, int64_t n)
{
    if (!job->in[LENGTHS]) return job->e.T;
    const int64_t length = ((const int32_t *)job->in[LENGTHS]->data)[n];
    return length < 0 ? 0 : length < job->e.T ? length : job->e.T;
}

static inline const char *part(const struct mc_recurrence *job, int i, int64_t per_direction)
{
    return (const char *)job->in[i]->data + (size_t)(job->direction * per_direction) * mc_element_size(job->dtype);
}

/* What a sample has to itself in a turn: gates from its input, gates from its state; its states. */
struct mc_recurrence_place {
    int64_t gate, through, state;
};

/* The row of x that sample n sees in this turn, -1 after its end. */
static inline int64_t row_of(const struct mc_recurrence *job, int64_t turn, int64_t n)
{
    const int64_t length = length_of(job, n), t = job->reverse ? length - 1 - turn : turn;
    if (turn >= length) return -1;
    return job->e.samples_first ? n * job->e.T + t : t * job->e.N + n;
}

static inline struct mc_recurrence_place place_of(const struct mc_recurrence *job, int64_t row, int64_t n)
{
    const int64_t width = job->e.G * job->e.H;
    return (struct mc_recurrence_place){row * width, n * width, n * job->e.H};
}

#endif
