/* update.h - the loops of training for one instruction set: losses over rows of scores, optimizer steps over
 * parameters.
 *
 * All in float32, single-threaded, over contiguous runs: the trainer cuts what it has into ranges. Each optimizer step
 * is one pass over memory. Sums are taken in double in fixed lanes, as in kernel/loops.h: every instruction set gives
 * the same bits.
 */
#ifndef MC_KERNEL_UPDATE_H
#define MC_KERNEL_UPDATE_H

#include <stdint.h>

/* Numbers of one optimizer step. With d = clip(scale g, limit) + l2 w + l1 sign(w) (sign(0) = 0) and
 * w' = (1 - rate decay) w, as PyTorch's optimizers have it:
 *   sgd       w = w' - rate d
 *   momentum  m = momentum m + d;                                              w = w' - rate m
 *   nesterov  m = momentum m + d;                                              w = w' - rate (d + momentum m)
 *   adagrad   v = v + d^2;                                                     w = w' - rate d / (sqrt(v) + epsilon)
 *   rmsprop   v = beta2 v + (1 - beta2) d^2;                                   w = w' - rate d / (sqrt(v) + epsilon)
 *   adam      m = beta1 m + (1 - beta1) d;  v = beta2 v + (1 - beta2) d^2;
 *             w = w' - rate (m / correction1) / (sqrt(v / correction2) + epsilon)
 *   lion      w = w' - rate sign(beta1 m + (1 - beta1) d);  m = beta2 m + (1 - beta2) d
 *   lamb      m and v as adam;  s = (m / correction1) / (sqrt(v / correction2) + epsilon) + decay w;
 *             w -= rate trust s, where trust = |w| / |s| of the whole tensor
 * (Polyak 1964; Sutskever and others 2013; Duchi, Hazan, Singer 2011; Tieleman and Hinton 2012; Kingma and Ba 2015,
 * algorithm 1, and with `decay` Loshchilov and Hutter 2019; Chen and others 2023, algorithm 2; You and others 2020,
 * algorithm 2.) */
struct mc_update {
    float rate;
    float momentum;
    float beta1, beta2, epsilon;
    float correction1, correction2; /* Adam: 1 - beta1^t and 1 - beta2^t, t counted from 1 */
    float l1, l2;
    float scale, limit; /* of the gradient: a factor, and then the largest magnitude (INFINITY: none) */
    float decay;        /* decoupled weight decay */
    float trust;        /* LAMB */
};

/* w, g, m, v, mask: n elements each. `m` and `v` are the optimizer's memory, zero at the start; NULL where the formula
 * has none. `mask` may be NULL; where it is 0 the weight is set to zero, whatever the step. */
typedef void mc_update_fn(int64_t n, float *w, const float *g, float *m, float *v, const unsigned char *mask,
                          const struct mc_update *update);

struct mc_updates {
    mc_update_fn *sgd, *momentum, *nesterov, *adagrad, *rmsprop, *adam, *lion;
    /* LAMB needs two norms of a tensor before its step: lamb_moments updates m and v and gives the sums of w^2 and of
     * s^2 (where the mask lets s count); lamb takes the step. */
    void (*lamb_moments)(int64_t n, const float *w, const float *g, float *m, float *v, const unsigned char *mask,
                         const struct mc_update *update, double *weights, double *steps);
    mc_update_fn *lamb;

    void (*axpy)(int64_t n, float a, const float *x, float *y);           /* y += a x */
    void (*scale)(int64_t n, float a, float *x);                          /* x *= a */
    void (*shrink)(int64_t n, float threshold, float *x);                 /* x = sign(x) max(|x| - threshold, 0) */
    void (*average)(int64_t n, float share, const float *x, float *mean); /* mean += share (x - mean); 0 where x is 0 */
    double (*sum_of_squares)(int64_t n, const float *x);
    double (*sum_of_magnitudes)(int64_t n, const float *x);

    /* Cross-entropy of softmax(z) and classes. z: [rows, classes] scores; labels: [rows], each in [0, classes). Returns
     * the sum over rows of -ln softmax(z)[label]; writes dz = weight (softmax(z) - onehot) unless dz is NULL. dz may be
     * z. */
    double (*cross_entropy)(int64_t rows, int64_t classes, const float *z, const int64_t *labels, float weight,
                            float *dz);

    /* The same with a distribution t [rows, classes] (of any mass) in the place of a class: returns the sum over rows
     * of -sum t ln softmax(z); writes dz = weight (sum(t) softmax(z) - t) unless dz is NULL. */
    double (*soft_cross_entropy)(int64_t rows, int64_t classes, const float *z, const float *t, float weight,
                                 float *dz);

    /* Cross-entropy of sigmoid(z) and t in [0, 1], each element for itself; dz = weight (sigmoid(z) - t). */
    double (*binary_cross_entropy)(int64_t n, const float *z, const float *t, float weight, float *dz);

    /* Distillation: the sum over rows of KL(softmax(teacher / T) || softmax(z / T)), in nats; ADDS
     * weight d KL / dz = weight (softmax(z / T) - softmax(teacher / T)) / T to dz unless it is NULL. The loss of
     * Hinton, Vinyals and Dean (2015) weighs it with alpha T^2 / rows. `scratch`: 2 * classes floats. */
    double (*distil)(int64_t rows, int64_t classes, const float *z, const float *teacher, float temperature,
                     float weight, float *dz, float *scratch);

    /* Sum of (y - t)^2; writes dy = 2 weight (y - t) unless dy is NULL. */
    double (*squared_error)(int64_t n, const float *y, const float *t, float weight, float *dy);
    /* Sum of |y - t|; dy = weight sign(y - t). */
    double (*absolute_error)(int64_t n, const float *y, const float *t, float weight, float *dy);
    /* With e = y - t, the sum of e^2 / 2 where |e| <= delta and of delta (|e| - delta / 2) beyond (Huber 1964); dy =
     * weight times e limited to [-delta, delta]. */
    double (*huber)(int64_t n, const float *y, const float *t, float delta, float weight, float *dy);
};

#endif
