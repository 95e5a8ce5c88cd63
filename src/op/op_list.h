/* op_list.h - every operator descriptor, one a line: MC_OP(add_7) stands for the constant mc_op_add_7.
 *
 * Sorted as the table is searched: by domain, then type in byte order (capitals before small letters: "GRU" < "Gather"),
 * then since-version. tests/op/test_ops.c names the line that is out of place.
 */
