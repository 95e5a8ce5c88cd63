/* recurrent_activation.h - the attributes of RNN, GRU and LSTM that are read outside of recurrent.c, or there alone:
 * activations, and what DynamicQuantizeLSTM asks for. */
#ifndef MC_OP_RECURRENT_ACTIVATION_H
#define MC_OP_RECURRENT_ACTIVATION_H

#include "graph/graph.h"

/* An attribute that no file has: the state of an LSTM in float32, where it meets its matrix, is rounded to 8 bits by
 * the range of all samples' states, as by DynamicQuantizeLinear. */
#define MC_LSTM_ROUNDS "rounds"

struct mc_activation {
    double (*f)(double x, double alpha, double beta);
    double (*slope)(double x, double y, double alpha, double beta); /* of f at x, where it is y */
    double alpha, beta;
};

/* The usual ones, to be told from others. */
double mc_activation_sigmoid(double x, double alpha, double beta);
double mc_activation_tanh(double x, double alpha, double beta);

/* All n activations of all directions in their order, `each` of a direction: by `usual` where the node names none.
 * MC_ERR_INPUT for a name that is none of the standard's. */
int mc_activations_read(const struct mc_node *node, const char *const *usual, int each, int n, struct mc_activation *to,
                        struct mc_error *err);

#endif
