/* refusal.c - naming all refused nodes at once; see refusal.h. */
#include "graph/refusal.h"

#include "base/error.h"

enum { MOST_NAMES = 8, MOST_BYTES = 4096 }; /* what fits into one readable line */

void mc_refusal_init(struct mc_refusal *refusal)
{
    refusal->n = 0;
    mc_buf_init(&refusal->names, MOST_BYTES);
}

void mc_refusal_add(struct mc_refusal *refusal, const struct mc_node *node, const char *why)
{
    if (refusal->n++ >= MOST_NAMES) return;
    const char *separator = refusal->n > 1 ? ", " : "";
    const char *domain = node->domain[0] ? node->domain : "ai.onnx";
    if (node->name[0])
        mc_buf_printf(&refusal->names, "%s'%.64s' (%s of %s %d", separator, node->name, node->type, domain,
                      node->opset);
    else
        mc_buf_printf(&refusal->names, "%s#%d (%s of %s %d", separator, node->id, node->type, domain, node->opset);
    mc_buf_printf(&refusal->names, "%s%s)", why ? ": " : "", why ? why : "");
}

int mc_refusal_finish(struct mc_refusal *refusal, const char *what, struct mc_error *err)
{
    int rc = MC_OK;
    if (refusal->n > MOST_NAMES) mc_buf_printf(&refusal->names, " and %d more", refusal->n - MOST_NAMES);
    if (refusal->n)
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "%s: %s", what,
                          refusal->names.failed ? "too many to name" : refusal->names.data);
    mc_buf_finish(&refusal->names);
    return rc;
}
