/* reshape.c - Reshape, Flatten, Squeeze, Unsqueeze: the same elements under another shape.
 *
 * All four are views and share forward, backward and coupling; only how the new shape is stated differs.
 */
#include <string.h>

#include "base/error.h"
#include "op/byte_rules.h"
#include "op/move.h"
#include "op/outline.h"
#include "op/upgrade.h"

/* --- shapes --- */

static int set_view(struct mc_fact *out, const struct mc_fact *in, const struct mc_shape *shape, struct mc_error *err)
{
    char from[96], to[96];
    if (mc_shape_count(shape) != mc_shape_count(&in->shape))
        return mc_error_set(err, MC_ERR_INPUT, "input 0: %s cannot take shape %s: needs %lld elements, has %lld",
                            mc_shape_text(&in->shape, from, sizeof from), mc_shape_text(shape, to, sizeof to),
                            (long long)mc_shape_count(shape), (long long)mc_shape_count(&in->shape));
    *out = (struct mc_fact){.dtype = in->dtype, .shape = *shape};
    return 0;
}

/* Put the extent that makes the counts equal where the target says -1. */
static int infer_extent(struct mc_shape *shape, int at, int64_t count, struct mc_error *err)
{
    shape->dim[at] = 1;
    const int64_t rest = mc_shape_count(shape);
    if (rest <= 0 || count % rest)
        return mc_error_set(err, MC_ERR_INPUT, "shape has -1 at %d: needs a multiple of %lld elements, has %lld", at,
                            (long long)rest, (long long)count);
    shape->dim[at] = count / rest;
    return 0;
}

/* The target with 0 (take over from the input, unless `allowzero`) and -1 (whatever is left) resolved. */
static int resolve_target(const struct mc_ints *target, bool allowzero, const struct mc_shape *in,
                          struct mc_shape *shape, struct mc_error *err)
{
    int inferred = -1;
    if (target->n > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "shape: needs at most %d axes, has %d", MC_MAX_RANK, target->n);
    *shape = mc_shape_of(target->n, target->at);
    for (int k = 0; k < target->n; k++) {
        if (target->at[k] == 0 && !allowzero) {
            if (k >= in->rank)
                return mc_error_set(err, MC_ERR_INPUT, "shape has 0 at %d: needs an input of rank %d or more, has %d",
                                    k, k + 1, in->rank);
            shape->dim[k] = in->dim[k];
        } else if (target->at[k] == -1) {
            if (inferred >= 0)
                return mc_error_set(err, MC_ERR_INPUT, "shape has -1 at %d and %d: needs one at most", inferred, k);
            inferred = k;
        } else if (target->at[k] < 0) {
            return mc_error_set(err, MC_ERR_INPUT, "shape: needs extents of at least -1, has %lld at %d",
                                (long long)target->at[k], k);
        }
    }
    return inferred < 0 ? 0 : infer_extent(shape, inferred, mc_shape_count(in), err);
}

static int read_target(const struct mc_node *node, const struct mc_fact *const *in, struct mc_ints *target,
                       struct mc_error *err)
{
    if (node->op->since >= 5) return mc_ints_of_input(node, in, 1, target, err);
    const int rc = mc_ints_of_attr(node, "shape", target, err);
    if (rc < 0) return rc;
    return target->given ? 0 : mc_error_set(err, MC_ERR_INPUT, "attribute 'shape' is required");
}

static int reshape_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    struct mc_ints target;
    struct mc_shape shape;
    int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered, err);
    if (rc < 0) return rc;
    if ((rc = read_target(node, in, &target, err)) < 0) return rc;
    const bool allowzero = mc_node_int(node, "allowzero", 0) != 0;
    if ((rc = resolve_target(&target, allowzero, &in[0]->shape, &shape, err)) < 0) return rc;
    return set_view(out, in[0], &shape, err);
}

static int flatten_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    const int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered, err);
    if (rc < 0) return rc;
    const int rank = in[0]->shape.rank;
    const int64_t axis = mc_node_int(node, "axis", 1), normal = axis < 0 ? axis + rank : axis;
    if (normal < 0 || normal > rank)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'axis': needs %d to %d, has %lld", -rank, rank,
                            (long long)axis);
    const struct mc_shape shape = {
        .rank = 2,
        .dim = {mc_shape_span(&in[0]->shape, 0, (int)normal), mc_shape_span(&in[0]->shape, (int)normal, rank)}};
    return set_view(out, in[0], &shape, err);
}

/* Axes of Squeeze and Unsqueeze as they are given: an attribute before version 13, an input since. */
static int read_axes(const struct mc_node *node, const struct mc_fact *const *in, struct mc_ints *axes,
                     struct mc_error *err)
{
    if (node->op->since >= 13) return mc_ints_of_input(node, in, 1, axes, err);
    return mc_ints_of_attr(node, "axes", axes, err);
}

static unsigned bits_of(const struct mc_ints *axes)
{
    unsigned bits = 0;
    for (int k = 0; k < axes->n; k++) bits |= 1u << axes->at[k];
    return bits;
}

static int squeeze_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                         struct mc_error *err)
{
    const struct mc_shape *const from = &in[0]->shape;
    struct mc_ints axes;
    int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered, err);
    if (rc < 0) return rc;
    if ((rc = read_axes(node, in, &axes, err)) < 0) return rc;
    if ((rc = mc_ints_as_axes(&axes, from->rank, err)) < 0) return rc;
    const unsigned gone = bits_of(&axes);
    struct mc_shape shape = {.rank = 0};
    for (int k = 0; k < from->rank; k++) {
        if (gone >> k & 1 && from->dim[k] != 1)
            return mc_error_set(err, MC_ERR_INPUT, "input 0: axis %d: needs extent 1 to be squeezed, has %lld", k,
                                (long long)from->dim[k]);
        if (axes.given ? !(gone >> k & 1) : from->dim[k] != 1) shape.dim[shape.rank++] = from->dim[k];
    }
    return set_view(out, in[0], &shape, err);
}

static int unsqueeze_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                           struct mc_error *err)
{
    const struct mc_shape *const from = &in[0]->shape;
    struct mc_ints axes;
    int rc = mc_need_dtype(node, 0, in[0], mc_types_ordered, err);
    if (rc < 0) return rc;
    if ((rc = read_axes(node, in, &axes, err)) < 0) return rc;
    if (!axes.given) return mc_error_set(err, MC_ERR_INPUT, "axes are required");
    struct mc_shape shape = {.rank = from->rank + axes.n};
    if (shape.rank > MC_MAX_RANK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "output: needs at most %d axes, has %d", MC_MAX_RANK, shape.rank);
    if ((rc = mc_ints_as_axes(&axes, shape.rank, err)) < 0) return rc;
    const unsigned made = bits_of(&axes);
    for (int k = 0, next = 0; k < shape.rank; k++) shape.dim[k] = made >> k & 1 ? 1 : from->dim[next++];
    return set_view(out, in[0], &shape, err);
}

/* --- outlines --- */

/* The shape that the target says for a tensor of this outline. One that is inferred is what the others leave over. */
static struct mc_outline outline_of_target(struct mc_symbols *s, const struct mc_outline_list *target, bool allowzero,
                                           const struct mc_outline *in)
{
    struct mc_outline outline = mc_outline_of_rank(in->rank < 0 ? -1 : 0);
    mc_symbol rest = in->rank < 0 ? MC_SYMBOL_UNKNOWN : mc_outline_span(s, in, 0, in->rank);
    int inferred = -1;
    for (int k = 0; k < target->n; k++) {
        int64_t number = 1;
        mc_symbol extent = target->at[k];
        if (mc_symbol_is_number(s, extent, &number) && number == 0 && !allowzero)
            extent = k < in->rank ? in->dim[k] : MC_SYMBOL_UNKNOWN;
        if (number == -1)
            inferred = k;
        else if (mc_symbol_at_least(s, extent, 0))
            rest = mc_symbol_divide(s, rest, extent);
        else
            extent = rest = MC_SYMBOL_UNKNOWN;
        mc_outline_append(&outline, extent);
    }
    if (inferred >= 0 && outline.rank > inferred) outline.dim[inferred] = rest;
    return outline;
}

static void view_items(const struct mc_outline *in, struct mc_outline *out)
{
    out->n_items = out->rank >= 0 ? in->n_items : -1;
    for (int i = 0; i < out->n_items; i++) out->item[i] = in->item[i];
}

static void reshape_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                            struct mc_outline *out)
{
    const struct mc_outline_list target = mc_outline_list_of(s, node, in, node->op->since < 5 ? "shape" : NULL, 1);
    int64_t rank;
    if (target.known) {
        out[0] = outline_of_target(s, &target, mc_node_int(node, "allowzero", 0) != 0, in[0]);
        view_items(in[0], &out[0]);
    } else if (in[1]->rank == 1 && mc_symbol_is_number(s, in[1]->dim[0], &rank)) {
        out[0] = mc_outline_of_rank((int)rank);
    }
}

static void flatten_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                            struct mc_outline *out)
{
    const int rank = in[0]->rank;
    const int64_t axis = mc_node_int(node, "axis", 1), normal = axis < 0 ? axis + rank : axis;
    if (rank < 0 || normal < 0 || normal > rank) return;
    out[0] = mc_outline_of_rank(2);
    out[0].dim[0] = mc_outline_span(s, in[0], 0, (int)normal);
    out[0].dim[1] = mc_outline_span(s, in[0], (int)normal, rank);
}

static void squeeze_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                            struct mc_outline *out)
{
    const struct mc_outline_list list = mc_outline_list_of(s, node, in, "axes", 1);
    struct mc_ints axes;
    if (in[0]->rank < 0 || !list.given || !mc_outline_axes(s, &list, in[0]->rank, &axes)) return;
    const unsigned gone = bits_of(&axes);
    out[0] = mc_outline_of_rank(0);
    for (int k = 0; k < in[0]->rank; k++)
        if (!(gone >> k & 1)) mc_outline_append(&out[0], in[0]->dim[k]);
    view_items(in[0], &out[0]);
}

static void unsqueeze_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                              struct mc_outline *out)
{
    const struct mc_outline_list list = mc_outline_list_of(s, node, in, "axes", 1);
    struct mc_ints axes;
    if (in[0]->rank < 0 || !list.given || !mc_outline_axes(s, &list, in[0]->rank + list.n, &axes)) return;
    const unsigned made = bits_of(&axes);
    out[0] = mc_outline_of_rank(0);
    for (int k = 0, next = 0; k < in[0]->rank + list.n; k++)
        mc_outline_append(&out[0], made >> k & 1 ? mc_symbol_number(s, 1) : in[0]->dim[next++]);
    view_items(in[0], &out[0]);
}

/* --- coupling ---
 * Both shapes are cut into the finest blocks of axes with equal products, axes of extent 1 left aside:
 * [8, 64, 7, 7] to [8, 3136] gives 8 | 8 and 64*7*7 | 3136. A block of one axis each passes channels on as they are; in
 * any other an axis of one side carries them that lies within an axis of the other side. */

/* One side of the node: its axes longer than 1. */
struct side {
    const struct mc_value *value;
    int n;
    int axis[MC_MAX_RANK];
    int64_t extent[MC_MAX_RANK];
};

/* Axes `first` … `first + n - 1` of a side. */
struct block {
    const struct side *side;
    int first, n;
};

static struct side make_side(const struct mc_coupling *c, const struct mc_value *value)
{
    const struct mc_shape *const shape = &mc_coupling_fact(c, value)->shape;
    struct side side = {.value = value};
    for (int k = 0; k < shape->rank; k++) {
        if (shape->dim[k] == 1) continue; /* said nothing of, and so frozen */
        side.axis[side.n] = k;
        side.extent[side.n++] = shape->dim[k];
    }
    return side;
}

static int freeze_block(struct mc_coupling *c, const struct mc_node *node, struct block block, int but, const char *why,
                        struct mc_error *err)
{
    for (int k = 0; k < block.n; k++) {
        if (k == but) continue;
        const int rc = mc_couple_freeze(c, node, block.side->value, block.side->axis[block.first + k], why, err);
        if (rc < 0) return rc;
    }
    return 0;
}

/* Elements from one index of axis k of a block to the next. */
static int64_t stride_of(struct block block, int k)
{
    int64_t stride = 1;
    for (int a = k + 1; a < block.n; a++) stride *= block.side->extent[block.first + a];
    return stride;
}

static int64_t extent_of(struct block block, int k)
{
    return block.side->extent[block.first + k];
}

/* Does an index of axis w of `whole` say the one of axis p of `part`? */
static bool contains(struct block whole, int w, struct block part, int p)
{
    const int64_t fine = stride_of(whole, w), coarse = stride_of(part, p);
    return coarse % fine == 0 && fine * extent_of(whole, w) % (coarse * extent_of(part, p)) == 0;
}

/* Tie index j of axis w of `whole` to the one of axis p of `part` that it says; the other axes cannot shrink. */
static int tie_part(struct mc_coupling *c, const struct mc_node *node, struct block whole, int w, struct block part,
                    int p, struct mc_error *err)
{
    static const char *const why = "merged with the channels by a reshape";
    const int64_t inner = stride_of(part, p) / stride_of(whole, w), extent = extent_of(part, p);
    int rc = freeze_block(c, node, part, p, why, err);
    if (rc == 0) rc = freeze_block(c, node, whole, w, why, err);
    for (int64_t j = 0; j < extent_of(whole, w) && rc == 0; j++)
        rc = mc_couple_index(c, part.side->value, part.side->axis[part.first + p], j / inner % extent,
                             whole.side->value, whole.side->axis[whole.first + w], j, err);
    return rc;
}

static bool is_frozen(const struct mc_coupling *c, struct block block, int k)
{
    return mc_couple_is_frozen(c, block.side->value, block.side->axis[block.first + k]);
}

/* The first axis of `wholes` that contains axis p, or -1. */
static int find_whole(struct block wholes, struct block part, int p)
{
    for (int w = 0; w < wholes.n; w++)
        if (contains(wholes, w, part, p)) return w;
    return -1;
}

/* Several axes become one, or one several, or they are regrouped. Only one may carry the channels, since what is cut
 * has to stay a block. An axis that is merged with others does if it is not frozen, as the height and width of an image
 * that is flattened are, and heads that were split; of several the outermost. Of those that one is split into the
 * innermost does first: right for a channel shuffle, where groups stay and each loses the same channels, and in
 * attention it thins out every head alike. */
static int couple_block(struct mc_coupling *c, const struct mc_node *node, struct block in, struct block out,
                        struct mc_error *err)
{
    int whole[MC_MAX_RANK], part[MC_MAX_RANK], axes[MC_MAX_RANK], n = 0;
    if (in.n == 1 && out.n == 1)
        return mc_couple_axes(c, in.side->value, in.side->axis[in.first], out.side->value, out.side->axis[out.first],
                              err);
    for (int p = 0; p < in.n && in.n > 1; p++) {
        const int w = is_frozen(c, in, p) ? -1 : find_whole(out, in, p);
        if (w >= 0) return tie_part(c, node, out, w, in, p, err);
    }
    for (int p = out.n - 1; p >= 0 && out.n > 1; p--) {
        const int w = find_whole(in, out, p);
        if (w < 0 || (in.n > 1 && is_frozen(c, in, w))) continue;
        whole[n] = w;
        part[n] = p;
        axes[n++] = out.side->axis[out.first + p];
    }
    if (n > 0) {
        const int way = is_frozen(c, in, whole[0]) ? 0 : mc_couple_way(c, node, out.side->value, axes, n);
        return way < 0 ? mc_error_memory(err) : tie_part(c, node, in, whole[way], out, part[way], err);
    }
    static const char *const merged = "merged from frozen axes by a reshape";
    static const char *const regrouped = "a reshape regroups several axes into several";
    const int rc = freeze_block(c, node, in, -1, out.n == 1 ? merged : regrouped, err);
    return rc < 0 ? rc : freeze_block(c, node, out, -1, out.n == 1 ? merged : regrouped, err);
}

static int view_coupling(struct mc_coupling *c, const struct mc_node *node, struct mc_error *err)
{
    const struct mc_value *const x = node->inputs[0], *const y = node->outputs[0];
    if (mc_shape_count(&mc_coupling_fact(c, x)->shape) <= 0) return mc_coupling_freeze_all(c, node, err);
    const struct side in = make_side(c, x), out = make_side(c, y);
    struct block a = {&in, 0, 0}, b = {&out, 0, 0};
    while (a.first < in.n) {
        int64_t in_product = in.extent[a.first], out_product = out.extent[b.first];
        a.n = b.n = 1;
        while (in_product != out_product) {
            if (in_product < out_product)
                in_product *= in.extent[a.first + a.n++];
            else
                out_product *= out.extent[b.first + b.n++];
        }
        const int rc = couple_block(c, node, a, b, err);
        if (rc < 0) return rc;
        a.first += a.n;
        b.first += b.n;
    }
    return 0;
}

/* --- after surgery --- */

/* The target edited: extents that were cut are written anew; 0 and -1 stay where they still say the right thing.
 * wrong[k]: had to change. Returns whether any had. */
static bool edit_target(const struct mc_resize *resize, const struct mc_node *node, bool allowzero,
                        struct mc_ints *target, bool *wrong)
{
    bool changed = false;
    for (int k = 0; k < target->n; k++) {
        const bool taken_over = target->at[k] == 0 && !allowzero;
        const int64_t extent = mc_resize_new_extent(resize, node->outputs[0], k);
        const int64_t stated = taken_over ? mc_resize_new_extent(resize, node->inputs[0], k) : target->at[k];
        wrong[k] = stated != -1 && stated != extent;
        if (wrong[k]) target->at[k] = extent;
        changed |= wrong[k];
    }
    return changed;
}

static int reshape_resize(struct mc_resize *resize, struct mc_node *node, struct mc_error *err)
{
    const bool allowzero = mc_node_int(node, "allowzero", 0) != 0;
    bool wrong[2 * MC_MAX_RANK];
    struct mc_ints target;
    if (node->op->since < 5) {
        const int rc = mc_ints_of_attr(node, "shape", &target, err);
        if (rc < 0 || !edit_target(resize, node, allowzero, &target, wrong)) return rc;
        return mc_node_set_ints(node, "shape", target.at, target.n, err);
    }
    if (!mc_resize_ints_computed(resize, node, 1, &target))
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "the shape '%s' is not known", node->inputs[1]->name);
    edit_target(resize, node, allowzero, &target, wrong);
    return mc_resize_mend_ints(resize, node, 1, &target, wrong, err);
}

/* --- descriptors --- */

#define VIEW(name, version, meaning, inputs_low, inputs_high, shape_rule, outline_rule, resize_rule, upgrade_rule)     \
    {                                                                                                                  \
        .domain = "", .type = name, .since = version, .means = MC_MEANS_##meaning, .min_inputs = inputs_low,           \
        .max_inputs = inputs_high, .n_outputs = 1, .grad_inputs = 1, .keep = MC_KEEP_NONE, .inplace = true,            \
        .view = true, .opaque = true, .on_bytes = mc_bytes_move, .shape = shape_rule, .outline = outline_rule,         \
        .forward = mc_view_forward, .backward = mc_view_backward, .others = "a shape or axes",                         \
        .coupling = view_coupling, .resize = resize_rule, .cost = mc_cost_free, .upgrade = upgrade_rule,               \
    }

const struct mc_op mc_op_reshape_1 =
    VIEW("Reshape", 1, OTHER, 1, 1, reshape_shape, reshape_outline, reshape_resize, NULL);
const struct mc_op mc_op_reshape_5 =
    VIEW("Reshape", 5, RESHAPE, 2, 2, reshape_shape, reshape_outline, reshape_resize, NULL);
/* The new extents follow from the input's: nothing to mend after surgery. */
const struct mc_op mc_op_flatten_1 = VIEW("Flatten", 1, OTHER, 1, 1, flatten_shape, flatten_outline, NULL, NULL);
const struct mc_op mc_op_squeeze_1 = VIEW("Squeeze", 1, OTHER, 1, 1, squeeze_shape, squeeze_outline, NULL, NULL);
const struct mc_op mc_op_squeeze_13 =
    VIEW("Squeeze", 13, OTHER, 1, 2, squeeze_shape, squeeze_outline, NULL, mc_upgrade_axes);
const struct mc_op mc_op_unsqueeze_1 =
    VIEW("Unsqueeze", 1, OTHER, 1, 1, unsqueeze_shape, unsqueeze_outline, NULL, NULL);
const struct mc_op mc_op_unsqueeze_13 =
    VIEW("Unsqueeze", 13, OTHER, 2, 2, unsqueeze_shape, unsqueeze_outline, NULL, mc_upgrade_axes);
