/* pass.h - what a pass sees, and what it changes graphs with. */
#ifndef MC_REWRITE_PASS_H
#define MC_REWRITE_PASS_H

#include "graph/op.h"
#include "rewrite/rewrite.h"

/* State of one run of one pass; facts and uses are a snapshot from its start. */
struct mc_rewrite {
    struct mc_model *model;
    struct mc_runtime runtime;
    struct mc_dims dims;
    struct mc_facts facts; /* as far as they go */
    struct mc_uses uses;
    bool *depends; /* by value id: its facts depend on an extent that the model leaves open */
};

/* Contents of a value that are the same in every run; NULL: none are known. */
const struct mc_tensor *mc_rewrite_constant(const struct mc_rewrite *r, const struct mc_value *v);
/* Shape and type of a value, if they are the same in every run; else NULL. */
const struct mc_fact *mc_rewrite_fact(const struct mc_rewrite *r, const struct mc_value *v);
/* The only consumer of an output that nobody else sees, if it is a node of the main graph; else NULL. */
struct mc_node *mc_rewrite_only_consumer(const struct mc_rewrite *r, const struct mc_value *v);
enum mc_meaning mc_meaning_of(const struct mc_node *node); /* MC_MEANS_OTHER for NULL and the unknown */

/* Let x stand for output 0 of a node, and take the node out. Where the output is the model's, x takes its name, if
 * nothing forbids it. Did it? (After that the snapshot is void for these values.) */
bool mc_bypass(struct mc_node *node, struct mc_value *x);
extern const struct mc_pass mc_pass_fold, mc_pass_identity, mc_pass_transpose, mc_pass_reshape, mc_pass_affine,
    mc_pass_fuse, mc_pass_common, mc_pass_share, mc_pass_dead;

#endif
