/* ops.h - the table of operators and the helpers that their files share. */
#ifndef MC_OP_OPS_H
#define MC_OP_OPS_H

#include "graph/coupling.h"
#include "graph/op.h"
#include "kernel/runtime.h"

/* All descriptors, sorted by domain, type, since; listed in op_list.h. */
extern const struct mc_op *const mc_ops[];
extern const size_t mc_ops_count;

/* The descriptor with the highest `since` not above `version`, or NULL. */
const struct mc_op *mc_ops_find(const char *domain, const char *type, int64_t version);
/* Set node->op for every node of every graph of the model. Unknown ones stay NULL. */
void mc_ops_bind(struct mc_model *model);

/* --- for shape rules ---
 * Messages are of the form "input 1 'w': needs 64 channels, has 48"; the driver puts the node in front. */

/* Out 0 has type and shape of in 0. */
int mc_shape_same(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                  struct mc_error *err);
/* Refuse an input that is left out. The checks below do so as well. */
int mc_need_input(const struct mc_node *node, int i, const struct mc_fact *fact, struct mc_error *err);
/* Refuse unless the dtype of input i is one of `allowed` (a bit set of 1 << dtype): MC_ERR_INPUT if the
 * specification forbids it is the caller's business; here MC_ERR_UNSUPPORTED. */
int mc_need_dtype(const struct mc_node *node, int i, const struct mc_fact *fact, uint64_t allowed,
                  struct mc_error *err);
#define MC_TYPE_BIT(dtype) (UINT64_C(1) << (dtype))
#define MC_TYPES_FLOAT (MC_TYPE_BIT(MC_FLOAT) | MC_TYPE_BIT(MC_DOUBLE))
/* Rank of input i within [low, high]. */
int mc_need_rank(const struct mc_node *node, int i, const struct mc_fact *fact, int low, int high,
                 struct mc_error *err);
/* Axis attribute or value into 0 … rank-1, negative counted from the end: MC_ERR_INPUT outside. */
int mc_need_axis(int64_t axis, int rank, int *normal, struct mc_error *err);
/* Constant integers of input i (int32 or int64): MC_ERR_OPEN if it is computed from the graph's inputs' contents. At
 * most `max` of them. */
int mc_need_ints(const struct mc_node *node, int i, const struct mc_fact *fact, int64_t *values, int max, int *n,
                 struct mc_error *err);

/* --- for those who change weights --- */

/* The axis of the weight in[1] that counts the outputs of a Conv, Gemm or MatMul; -1 for other nodes. A MatMul's weight
 * has to be a matrix. */
int mc_weight_output_axis(const struct mc_node *node);

/* BatchNormalization of channel c by statistics that are known, as scale y + shift. of: its inputs 1 to 4. */
void mc_norm_affine(const struct mc_node *node, const struct mc_tensor *const *of, int64_t c, double *scale,
                    double *shift);

/* --- for order rules --- */

/* MC_ORDER_SAME where nothing but single numbers is broadcast to out[0]'s shape, else MC_ORDER_FIRST. */
enum mc_order mc_order_elementwise(const struct mc_step *step);
/* The same, and where what is broadcast has channels or positions, not both; see mc_binary_forward. */
enum mc_order mc_order_broadcast(const struct mc_step *step);
/* MC_ORDER_SAME, for what treats in[0] and out[0] alike and looks at how they lie. */
enum mc_order mc_order_same(const struct mc_step *step);

/* --- products --- */

struct mc_bfloat_loops;

/* mc_gemm.bfloats of what this step multiplies: only while it trains. */
const struct mc_bfloat_loops *mc_step_bfloats(const struct mc_step *step);

/* With constant matrices (kernel/packed.h): */

struct mc_unpacked;

/* Should in[i] be packed for products of `rows` rows and `columns` columns? float32 only. */
bool mc_step_packs(const struct mc_step *step, int i, int64_t rows, int64_t columns);
/* Pack in[i], all of it: the state is a struct mc_packed then, and in[i] is not read any more. */
int mc_step_pack(struct mc_step *step, int i, const struct mc_unpacked *w, struct mc_error *err);
/* The release rule of whoever does. */
void mc_step_release_packed(struct mc_step *step);

/* --- for cost rules --- */
void mc_cost_elementwise(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                         struct mc_cost *cost);
void mc_cost_free(const struct mc_node *node, const struct mc_fact *const *in, const struct mc_fact *out,
                  struct mc_cost *cost); /* moves or renames data, computes nothing */

#endif
