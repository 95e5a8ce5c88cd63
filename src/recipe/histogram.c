/* histogram.c - how the weights of a layer lie; see histogram.h. */
#include "recipe/histogram.h"

#include <math.h>

enum { INTERVALS = 32 };

static const struct mc_tensor *weights_of(const struct mc_node *node)
{
    const struct mc_tensor *largest = NULL;
    for (int i = 0; i < node->n_inputs; i++) {
        const struct mc_value *v = node->inputs[i];
        const struct mc_tensor *t = v && !v->edit ? v->data : NULL;
        if (!t || !t->data || t->shape.rank < 2 || !mc_dtype_is_float(t->dtype)) continue;
        if (!largest || mc_tensor_count(t) > mc_tensor_count(largest)) largest = t;
    }
    return largest;
}

void mc_measure_weights(const struct mc_node *node, struct mc_record *layer)
{
    const struct mc_tensor *t = weights_of(node);
    const int64_t n = t ? mc_tensor_count(t) : 0;
    const float *floats = t && t->dtype == MC_FLOAT ? t->data : NULL; /* nearly all that there is, and there is much */
    double low = INFINITY, high = -INFINITY;
    int64_t counts[INTERVALS] = {0};
    for (int64_t i = 0; i < n; i++) {
        const double x = floats ? (double)floats[i] : mc_tensor_get_f64(t, i);
        if (x == 0 || !isfinite(x)) continue;
        if (x < low) low = x;
        if (x > high) high = x;
    }
    if (!(high > low)) return;
    for (int64_t i = 0; i < n; i++) {
        const double x = floats ? (double)floats[i] : mc_tensor_get_f64(t, i);
        if (x == 0 || !isfinite(x)) continue;
        const int at = (int)((x - low) / (high - low) * INTERVALS);
        counts[at < INTERVALS ? at : INTERVALS - 1]++;
    }
    struct mc_record *weights = mc_record_object(layer, "weights");
    mc_record_set_num(weights, "low", low);
    mc_record_set_num(weights, "high", high);
    struct mc_record *list = mc_record_array(weights, "counts");
    for (int i = 0; i < INTERVALS; i++) mc_record_append_int(list, counts[i]);
}
