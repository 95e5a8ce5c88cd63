/* crossing.c - which way a rule takes where it cannot say all that could be said.
 *
 * A reshape of 64 channels to 8 heads of 8 can lose features of every head or whole heads, not both, since what is left
 * has to be a block; which of the two anything else in the model allows shows when all rules have spoken. So the walk
 * is repeated with another way wherever nothing could go.
 */
#include "base/alloc.h"
#include "graph/coupling_state.h"

enum { MOST_WALKS = 8 };

int mc_couple_way(struct mc_coupling *c, const struct mc_node *node, const struct mc_value *v, const int *axes, int n)
{
    for (size_t i = 0; i < c->n_crossings; i++) {
        struct mc_crossing *x = &c->crossings[i];
        if (x->node != node || x->value != v || x->n != n) continue;
        int first = 0;
        while (x->way[first] != 0) first++;
        if (x->axes[first] != axes[0]) continue;
        x->met = true;
        return x->way[x->at];
    }
    if (!mc_grow((void **)&c->crossings, c->n_crossings, &c->cap_crossings, sizeof(*c->crossings))) return -1;
    struct mc_crossing *x = &c->crossings[c->n_crossings++];
    *x = (struct mc_crossing){.node = node, .value = v, .n = n, .met = true};
    for (int w = 0; w < n; w++) {
        x->axes[w] = axes[w];
        x->way[w] = w;
    }
    return 0;
}

/* May any index of the axis go, and the others stay? */
static bool leads_somewhere(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const struct mc_axis *a = &c->axes[mc_coupling_axis(c, v, axis)];
    if (a->first_label < 0 || a->extent == 0) return false;
    const int32_t first = mc_coupling_root(c, a->first_label);
    bool free = false, apart = false;
    for (int32_t i = 0; i < a->extent; i++) {
        const int32_t root = mc_coupling_root(c, a->first_label + i);
        free |= c->labels[root].frozen < 0;
        apart |= root != first;
    }
    return free && apart;
}

static bool is_of_heads(const struct mc_coupling *c, const struct mc_value *v, int axis)
{
    const struct mc_axis *a = &c->axes[mc_coupling_axis(c, v, axis)];
    for (size_t i = 0; i < c->n_heads && a->first_label >= 0; i++) {
        const struct mc_axis *heads = &c->axes[c->heads[i]];
        if (heads->first_label >= 0 && heads->extent > 0 &&
            mc_coupling_root(c, heads->first_label) == mc_coupling_root(c, a->first_label))
            return true;
    }
    return false;
}

static bool prefer_heads(const struct mc_coupling *c, struct mc_crossing *x)
{
    int heads = 1;
    while (heads < x->n && !is_of_heads(c, x->value, x->axes[heads])) heads++;
    if (heads >= x->n) return false;
    const int axis = x->axes[heads], way = x->way[heads];
    for (int w = heads; w > 0; w--) {
        x->axes[w] = x->axes[w - 1];
        x->way[w] = x->way[w - 1];
    }
    x->axes[0] = axis;
    x->way[0] = way;
    return true;
}

bool mc_coupling_turn(struct mc_coupling *c, bool whole_heads)
{
    bool turned = false;
    if (whole_heads && c->n_walks == 1)
        for (size_t i = 0; i < c->n_crossings; i++) turned |= prefer_heads(c, &c->crossings[i]);
    if (turned) return true;
    for (size_t i = 0; i < c->n_crossings && c->n_walks < MOST_WALKS; i++) {
        struct mc_crossing *x = &c->crossings[i];
        if (!x->met || x->at + 1 >= x->n || leads_somewhere(c, x->value, x->axes[x->at])) continue;
        x->at++;
        turned = true;
    }
    for (size_t i = 0; i < c->n_crossings; i++) c->crossings[i].met = false;
    return turned;
}
