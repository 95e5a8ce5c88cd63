/* refusal.c - naming all refused nodes at once; see refusal.h. */
#include "graph/refusal.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

enum { MOST_NAMES = 3, MOST_BYTES = 4096 }; /* nodes of a kind, so that every kind has its place in the line */

void mc_refusal_init(struct mc_refusal *refusal)
{
    *refusal = (struct mc_refusal){0};
}

void mc_refusal_add(struct mc_refusal *refusal, const struct mc_node *node, const char *why)
{
    if (mc_grow((void **)&refusal->nodes, refusal->n, &refusal->capacity, sizeof *refusal->nodes))
        refusal->nodes[refusal->n++] = (struct mc_refused){node, why};
    else
        refusal->failed = true;
}

static bool same_kind(const struct mc_refused *a, const struct mc_refused *b)
{
    const bool same_why = a->why == b->why || (a->why && b->why && strcmp(a->why, b->why) == 0);
    return same_why && strcmp(a->node->type, b->node->type) == 0 && strcmp(a->node->domain, b->node->domain) == 0;
}

/* All nodes that are of one kind with the first; those are taken from the list. */
static void print_kind(struct mc_buf *buf, struct mc_refusal *refusal)
{
    const struct mc_refused kind = refusal->nodes[0];
    const char *domain = kind.node->domain[0] ? kind.node->domain : "ai.onnx";
    size_t kept = 0;
    int n = 0;
    for (size_t i = 0; i < refusal->n; i++) {
        const struct mc_refused *r = &refusal->nodes[i];
        if (!same_kind(r, &kind)) {
            refusal->nodes[kept++] = *r;
            continue;
        }
        if (n++ >= MOST_NAMES) continue;
        if (r->node->name[0])
            mc_buf_printf(buf, "%s'%.64s'", n > 1 ? ", " : "", r->node->name);
        else
            mc_buf_printf(buf, "%s#%d", n > 1 ? ", " : "", r->node->id);
    }
    if (n > MOST_NAMES) mc_buf_printf(buf, " and %d more", n - MOST_NAMES);
    mc_buf_printf(buf, " (%s of %s %d%s%s)", kind.node->type, domain, kind.node->opset, kind.why ? ": " : "",
                  kind.why ? kind.why : "");
    refusal->n = kept;
}

int mc_refusal_finish(struct mc_refusal *refusal, const char *what, struct mc_error *err)
{
    struct mc_buf kinds;
    int rc = MC_OK;
    mc_buf_init(&kinds, MOST_BYTES);
    if (refusal->failed) {
        rc = mc_error_memory(err);
    } else if (refusal->n) {
        while (refusal->n) {
            print_kind(&kinds, refusal);
            if (refusal->n) mc_buf_puts(&kinds, ", ");
        }
        rc = mc_error_set(err, MC_ERR_UNSUPPORTED, "%s: %s", what, kinds.data ? kinds.data : "");
    }
    mc_buf_finish(&kinds);
    mc_free(refusal->nodes);
    *refusal = (struct mc_refusal){0};
    return rc;
}
