/* cell.h - units of recurrent cells with the usual activations, float32, one sample's at a time; every instruction set
 * gives the same bits. What gates get from the input and from the state are apart: x and h, each [gates, n].
 *
 *     LSTM (i o f c)   c = sigmoid(f) c + sigmoid(i) tanh(g);   state = sigmoid(o) tanh(c)
 *     GRU (z r h)      state = (1 - z) tanh(h) + z state
 *     RNN              state = tanh(x + h)
 */
#ifndef MC_KERNEL_CELL_H
#define MC_KERNEL_CELL_H

#include <stdint.h>

struct mc_cells {
    void (*lstm)(int64_t n, const float *x, const float *h, float *c, float *state);
    /* The first two gates of h become sigmoid(x + h); masked (may be NULL) = the second times the state. */
    void (*gru_gates)(int64_t n, const float *x, float *h, const float *state, float *masked);
    /* After those. `bias` NULL: h's third gate was made of the masked state. Else it was made of the state itself, and
     * is masked now, together with its bias. */
    void (*gru)(int64_t n, const float *x, const float *h, const float *bias, float *state);
    void (*rnn)(int64_t n, const float *x, const float *h, float *state);
};

#endif
