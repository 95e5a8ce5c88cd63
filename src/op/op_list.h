/* op_list.h - every operator descriptor, one a line: MC_OP(add_7) stands for the constant mc_op_add_7.
 *
 * Sorted as the table is searched: by domain, then type in byte order (capitals before small letters: "GRU" < "Gather"),
 * then since-version. tests/op/test_ops.c names the line that is out of place.
 *
 * Included as it is, it declares them; ops.c defines MC_OP to make its table of them.
 */
#ifndef MC_OP
#include "graph/op.h"
#define MC_OP(name) extern const struct mc_op mc_op_##name;
#endif

MC_OP(abs_1)
MC_OP(add_7)
MC_OP(cast_6)
MC_OP(cast_like_15)
MC_OP(clip_6)
MC_OP(clip_11)
MC_OP(concat_1)
MC_OP(constant_1)
MC_OP(constant_of_shape_9)
MC_OP(div_7)
MC_OP(elu_1)
MC_OP(erf_9)
MC_OP(exp_1)
MC_OP(expand_8)
MC_OP(flatten_1)
MC_OP(gather_1)
MC_OP(gelu_20)
MC_OP(hard_sigmoid_1)
MC_OP(hard_swish_14)
MC_OP(identity_1)
MC_OP(leaky_relu_1)
MC_OP(log_1)
MC_OP(max_6)
MC_OP(min_6)
MC_OP(mul_7)
MC_OP(neg_1)
MC_OP(prelu_7)
MC_OP(pad_2)
MC_OP(pad_11)
MC_OP(pad_18)
MC_OP(pad_19)
MC_OP(pow_7)
MC_OP(relu_1)
MC_OP(reshape_1)
MC_OP(reshape_5)
MC_OP(shape_1)
MC_OP(sigmoid_1)
MC_OP(size_1)
MC_OP(slice_1)
MC_OP(slice_10)
MC_OP(split_1)
MC_OP(split_13)
MC_OP(split_18)
MC_OP(sqrt_1)
MC_OP(squeeze_1)
MC_OP(squeeze_13)
MC_OP(sub_7)
MC_OP(tanh_1)
MC_OP(transpose_1)
MC_OP(unsqueeze_1)
MC_OP(unsqueeze_13)
MC_OP(where_9)

#undef MC_OP
