/* dynamic_products.c - dense layers on integers; see dynamic_products.h. */
#include "quantize/dynamic_products.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ops.h"
#include "prune/exclude.h"
#include "run/plan.h"

/* A product, and what its input was rounded to: bytes, scale, zero point. */
struct product {
    struct mc_node *node;
    const struct mc_stored *weight;
    struct mc_value *rounded[3];
};

/* --- which --- */

static bool is_plain(const struct mc_node *node)
{
    return !mc_node_int(node, "transA", 0) && mc_node_float(node, "alpha", 1) == 1 &&
           mc_node_float(node, "beta", 1) == 1;
}

static bool is_product(const struct mc_node *node)
{
    const enum mc_meaning means = node->op ? node->op->means : MC_MEANS_OTHER;
    return means == MC_MEANS_MATMUL || (means == MC_MEANS_GEMM && is_plain(node));
}

static bool fits(const struct mc_stored *w, const struct mc_node *node, const struct mc_facts *facts)
{
    const struct mc_fact *x = node->n_inputs > 1 && node->inputs[0] ? &facts->of[node->inputs[0]->id] : NULL;
    return is_product(node) && x && node->inputs[1] == w->floats && node->graph == w->floats->graph &&
           w->codes->data->dtype == MC_INT8 && w->codes->data->shape.rank == 2 &&
           (w->grain.axis < 0 || w->grain.axis == mc_weight_output_axis(node)) && x->dtype == MC_FLOAT && !x->open &&
           !x->constant && x->shape.rank >= 2;
}

/* Products in the order of the graph; *n of them. */
static int find(struct product *products, int *n, const struct mc_model *model, const struct mc_store *store,
                const char *exclude, struct mc_error *err)
{
    const struct mc_dims two = {.batch = 2};
    struct mc_uses uses = {0};
    struct mc_facts facts = {0};
    *n = 0;
    int rc = mc_uses_create(&uses, model, err);
    if (rc == MC_OK) rc = mc_model_facts(&facts, model, &two, true, err);
    for (int i = 0; i < store->n && rc == MC_OK; i++) {
        const struct mc_stored *w = &store->weights[i];
        struct mc_node *node = uses.n[w->floats->id] == 1 ? uses.of[w->floats->id][0].node : NULL;
        if (node && !mc_excluded(exclude, node->name) && fits(w, node, &facts))
            products[(*n)++] = (struct product){.node = node, .weight = w};
    }
    mc_facts_finish(&facts);
    mc_uses_finish(&uses);
    return rc;
}

/* --- inputs, rounded and made floats again --- */

static int round_input(struct mc_model *model, struct product *p, struct mc_error *err)
{
    struct mc_value *x = p->node->inputs[0], *floats = mc_fresh_floats(model, x->name, "rounded");
    static const char *const words[] = {"quantized", "scale", "zero_point"};
    static const enum mc_dtype types[] = {MC_UINT8, MC_FLOAT, MC_UINT8};
    for (int i = 0; i < 3; i++) {
        p->rounded[i] = mc_fresh_floats(model, x->name, words[i]);
        if (!p->rounded[i] || !floats) return mc_error_memory(err);
        p->rounded[i]->type.dtype = types[i];
    }
    const int at = x->producer ? mc_node_position(x->producer) + 1 : 0;
    if (!mc_node_create(model->graph, at, "", "DynamicQuantizeLinear", p->rounded[0]->name, 1, &x, 3, p->rounded) ||
        !mc_node_create(model->graph, at + 1, "", "DequantizeLinear", floats->name, 3, p->rounded, 1, &floats))
        return mc_error_memory(err);
    return mc_node_set_input(p->node, 0, floats, err);
}

/* One rounding serves all products that read a value. */
static int round_inputs(struct mc_model *model, struct product *products, int n, struct mc_error *err)
{
    const struct mc_value **read = MC_NEW_ARRAY(const struct mc_value *, n);
    int rc = read ? MC_OK : mc_error_memory(err);
    for (int i = 0; i < n && rc == MC_OK; i++) {
        int k = 0;
        read[i] = products[i].node->inputs[0];
        while (read[k] != read[i]) k++;
        if (k == i) {
            rc = round_input(model, &products[i], err);
        } else {
            memcpy(products[i].rounded, products[k].rounded, sizeof products[i].rounded);
            rc = mc_node_set_input(products[i].node, 0, products[k].node->inputs[0], err);
        }
    }
    mc_free(read);
    return rc;
}

/* --- products on integers --- */

/* [outputs, inputs] to [inputs, outputs]. */
static int turn(struct mc_value *codes, struct mc_error *err)
{
    const struct mc_tensor *from = codes->data;
    const struct mc_shape shape = {.rank = 2, .dim = {from->shape.dim[1], from->shape.dim[0]}};
    struct mc_tensor *to;
    const int rc = mc_tensor_create(&to, from->dtype, &shape, err);
    if (rc < 0) return rc;
    for (int64_t k = 0; k < shape.dim[0]; k++)
        for (int64_t m = 0; m < shape.dim[1]; m++)
            ((int8_t *)to->data)[k * shape.dim[1] + m] = ((const int8_t *)from->data)[m * shape.dim[0] + k];
    mc_value_set_data(codes, to);
    return MC_OK;
}

/* A node before position *at, which moves behind it. */
static struct mc_node *put(struct mc_model *model, int *at, const char *type, int n, struct mc_value *const *in,
                           struct mc_value *y)
{
    return y ? mc_node_create(model->graph, (*at)++, "", type, y->name, n, in, 1, &y) : NULL;
}

static int put_product(struct mc_model *model, const struct product *p, struct mc_error *err)
{
    struct mc_node *node = p->node;
    struct mc_value *y = node->outputs[0], *bias = mc_node_input(node, 2);
    struct mc_value *codes = p->weight->codes, *scales = p->weight->scales;
    int at = mc_node_position(node);
    if (mc_weight_output_axis(node) == 0) {
        const int rc = turn(codes, err);
        if (rc < 0) return rc;
    }
    mc_node_remove(node);
    struct mc_value *sums = mc_fresh_floats(model, y->name, "sums"), *wide = mc_fresh_floats(model, y->name, "wide");
    struct mc_value *factor = mc_fresh_floats(model, y->name, "factor");
    struct mc_value *scaled = bias ? mc_fresh_floats(model, y->name, "scaled") : y;
    if (sums) sums->type.dtype = MC_INT32;
    const bool multiplied =
        put(model, &at, "MatMulInteger", 3, (struct mc_value *[]){p->rounded[0], codes, p->rounded[2]}, sums) != NULL;
    struct mc_node *cast = multiplied ? put(model, &at, "Cast", 1, &sums, wide) : NULL;
    const bool rest = cast && put(model, &at, "Mul", 2, (struct mc_value *[]){p->rounded[1], scales}, factor) &&
                      put(model, &at, "Mul", 2, (struct mc_value *[]){wide, factor}, scaled) &&
                      (!bias || put(model, &at, "Add", 2, (struct mc_value *[]){scaled, bias}, y));
    return rest ? mc_node_set_int(cast, "to", MC_FLOAT, err) : mc_error_memory(err);
}

/* What made floats of inputs and weights, which nobody reads any more. */
static void drop(struct mc_value *floats)
{
    struct mc_node *node = floats->producer;
    if (!node || mc_value_is_used(floats)) return;
    mc_node_remove(node);
    mc_value_remove(floats);
}

static int put_products(struct mc_model *model, const struct product *products, int n, struct mc_error *err)
{
    int rc = MC_OK;
    for (int i = 0; i < n && rc == MC_OK; i++) {
        struct mc_value *x = products[i].node->inputs[0];
        rc = put_product(model, &products[i], err);
        if (rc < 0) break;
        drop(products[i].weight->floats);
        drop(x);
    }
    mc_ops_bind(model);
    return rc;
}

int mc_quantize_products(struct mc_model *model, struct mc_model **simulated, const struct mc_store *store,
                         const struct mc_quantize_options *options, struct mc_record *section, struct mc_error *err)
{
    int n = 0;
    struct product *products = MC_NEW_ARRAY(struct product, store->n);
    *simulated = NULL;
    int rc = products ? find(products, &n, model, store, options->exclude, err) : mc_error_memory(err);
    if (rc == MC_OK && n == 0)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "no node of the model is a Gemm or MatMul with a stored matrix");
    if (rc == MC_OK) rc = round_inputs(model, products, n, err);
    mc_ops_bind(model);
    if (rc == MC_OK) rc = mc_model_clone(simulated, model, true, err);
    if (rc == MC_OK) mc_ops_bind(*simulated);
    if (rc == MC_OK) rc = put_products(model, products, n, err);
    if (rc == MC_OK && section) mc_record_set_int(section, "nodes", n);
    mc_free(products);
    return rc;
}
