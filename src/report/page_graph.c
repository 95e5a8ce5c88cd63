/* page_graph.c - the graph on the page; see page_graph.h. */
#include "report/page_graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "report/layered.h"
#include "report/markup.h"

/* Drawings of more boxes than these are folded by the next way. */
enum { MOST_UNFOLDED = 60, MOST_FOLDED = 160 };
enum { BOX_WIDTH = 186, BOX_HEIGHT = 40, GAP = 14, RANK_GAP = 24, LETTERS = 30, MOST_IN_TITLE = 12, MOST_NEW = 40 };

enum change { SAME, SPARSER, NARROWER, GONE };
static const char *const change_names[] = {"same", "sparser", "narrower", "gone"};

struct node {
    const char *name, *type, *before, *after; /* shapes; `after` NULL: not known */
    bool is_layer;
    enum change change;
    int n_reads;
    const int *reads;
    int box;
};

struct box {
    int n_nodes, main, last; /* the node that it is named after, and the one whose output it gives out */
    bool is_block;
    enum change change;
};

struct sketch {
    struct mc_arena arena;
    const struct mc_record *record, *graph;
    const char *after; /* path of the graph that it became; NULL: it is the only one */
    int n_nodes, n_boxes;
    struct node *nodes;
    struct box *boxes;
    struct mc_layered drawing;
};

static const char *item_text(const struct mc_record *list, int i)
{
    return mc_record_get_text(mc_record_at(list, (size_t)i), "", "");
}

/* --- from the record --- */

/* A name of a list, and its place there. */
struct entry {
    const char *name;
    int place;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    const int order = strcmp(x->name, y->name);
    return order ? order : x->place - y->place;
}

/* Entries of `list` sorted by name: texts, or objects that have the name under `key`. */
static struct entry *sort_names(struct mc_arena *arena, const struct mc_record *list, const char *key, size_t *n)
{
    *n = mc_record_size(list);
    struct entry *entries = MC_ARENA_ARRAY(arena, struct entry, *n + 1);
    for (size_t i = 0; entries && i < *n; i++)
        entries[i] = (struct entry){mc_record_get_text(mc_record_at(list, i), key, ""), (int)i};
    if (entries) qsort(entries, *n, sizeof *entries, compare_entries);
    return entries;
}

static int find_name(const struct entry *entries, size_t n, const char *name)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (strcmp(entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && strcmp(entries[low].name, name) == 0 ? entries[low].place : -1;
}

static int read_nodes(struct sketch *s, struct mc_error *err)
{
    const struct mc_record *names = mc_record_get(s->graph, "nodes"), *types = mc_record_get(s->graph, "operators");
    const struct mc_record *shapes = mc_record_get(s->graph, "shapes"), *reads = mc_record_get(s->graph, "reads");
    s->n_nodes = (int)mc_record_size(names);
    s->nodes = MC_ARENA_ARRAY(&s->arena, struct node, s->n_nodes + 1);
    if (!s->nodes) return mc_error_memory(err);
    for (int i = 0; i < s->n_nodes; i++) {
        const struct mc_record *list = mc_record_at(reads, (size_t)i);
        int *from = MC_ARENA_ARRAY(&s->arena, int, mc_record_size(list) + 1);
        if (!from) return mc_error_memory(err);
        struct node *node = &s->nodes[i];
        *node = (struct node){
            .name = item_text(names, i), .type = item_text(types, i), .before = item_text(shapes, i), .reads = from};
        for (size_t k = 0; k < mc_record_size(list); k++) {
            const int64_t read = mc_record_get_int(mc_record_at(list, k), "", -1);
            if (read >= 0 && read < i) from[node->n_reads++] = (int)read; /* an order in which they can run */
        }
    }
    return MC_OK;
}

/* Which nodes have weights or multiply; whether zeros came to them. */
static int read_layers(struct sketch *s, struct mc_error *err)
{
    size_t n_before, n_after;
    const struct mc_record *before = mc_record_get(s->record, s->after ? "original.layers" : "layers");
    const struct mc_record *after = s->after ? mc_record_get(s->record, "final.layers") : NULL;
    struct entry *old = sort_names(&s->arena, before, "layer", &n_before),
                 *new = sort_names(&s->arena, after, "layer", &n_after);
    if (!old || !new) return mc_error_memory(err);
    for (int i = 0; i < s->n_nodes; i++) {
        const int a = find_name(old, n_before, s->nodes[i].name), b = find_name(new, n_after, s->nodes[i].name);
        s->nodes[i].is_layer = a >= 0;
        if (a < 0 || b < 0) continue;
        const double zeros = mc_record_get_num(mc_record_at(before, (size_t)a), "sparsity", NAN);
        if (mc_record_get_num(mc_record_at(after, (size_t)b), "sparsity", NAN) > zeros + 0.005)
            s->nodes[i].change = SPARSER;
    }
    return MC_OK;
}

/* What became of each node, by name; and which the result has that are new are told in words. */
static int read_changes(struct sketch *s, struct mc_error *err)
{
    char path[64];
    size_t n;
    if (!s->after) return MC_OK;
    snprintf(path, sizeof path, "%s.nodes", s->after);
    struct entry *after = sort_names(&s->arena, mc_record_get(s->record, path), "", &n);
    if (!after) return mc_error_memory(err);
    snprintf(path, sizeof path, "%s.shapes", s->after);
    const struct mc_record *shapes = mc_record_get(s->record, path);
    for (int i = 0; i < s->n_nodes; i++) {
        struct node *node = &s->nodes[i];
        const int at = find_name(after, n, node->name);
        if (at >= 0) node->after = item_text(shapes, at);
        if (at < 0)
            node->change = GONE;
        else if (strcmp(node->before, node->after) != 0)
            node->change = NARROWER;
    }
    return MC_OK;
}

/* --- boxes --- */

static void box_each(struct sketch *s)
{
    for (int i = 0; i < s->n_nodes; i++) s->nodes[i].box = i;
    s->n_boxes = s->n_nodes;
}

/* The one node that node i reads, -1 if there is another number of them. */
static int only_read(const struct node *node)
{
    for (int k = 1; k < node->n_reads; k++)
        if (node->reads[k] != node->reads[0]) return -1;
    return node->n_reads ? node->reads[0] : -1;
}

/* What has no weights and reads one node alone goes into its box, which makes no cycle: every way to it leads there. */
static void box_with_what_is_read(struct sketch *s)
{
    s->n_boxes = 0;
    for (int i = 0; i < s->n_nodes; i++) {
        const int read = s->nodes[i].is_layer ? -1 : only_read(&s->nodes[i]);
        s->nodes[i].box = read >= 0 ? s->nodes[read].box : s->n_boxes++;
    }
}

/* Stretches of the order between places that one value alone passes; if these are still too many, several to a box. */
static int box_stretches(struct sketch *s, struct mc_error *err)
{
    int *last_reader = MC_ARENA_ARRAY(&s->arena, int, s->n_nodes + 1);
    if (!last_reader) return mc_error_memory(err);
    for (int i = 0; i < s->n_nodes; i++)
        for (int k = 0; k < s->nodes[i].n_reads; k++) last_reader[s->nodes[i].reads[k]] = i;
    int furthest = 0, n = 0; /* the last reader of all that was made before node i */
    for (int i = 0; i < s->n_nodes; i++) {
        s->nodes[i].box = n;
        if (furthest <= i && i + 1 < s->n_nodes) n++;
        if (last_reader[i] > furthest) furthest = last_reader[i];
    }
    s->n_boxes = n + 1;
    const int stride = (s->n_boxes + MOST_FOLDED - 1) / MOST_FOLDED;
    for (int i = 0; i < s->n_nodes; i++) s->nodes[i].box /= stride;
    s->n_boxes = (s->n_boxes + stride - 1) / stride;
    return MC_OK;
}

static int make_boxes(struct sketch *s, struct mc_error *err)
{
    box_each(s);
    if (s->n_boxes > MOST_UNFOLDED) box_with_what_is_read(s);
    const bool blocks = s->n_boxes > MOST_FOLDED;
    const int rc = blocks ? box_stretches(s, err) : MC_OK;
    if (rc < 0) return rc;
    s->boxes = MC_ARENA_ARRAY(&s->arena, struct box, s->n_boxes);
    if (!s->boxes) return mc_error_memory(err);
    for (int i = 0; i < s->n_nodes; i++) {
        struct box *box = &s->boxes[s->nodes[i].box];
        const struct node *node = &s->nodes[i];
        if (box->n_nodes++ == 0 || (node->is_layer && !s->nodes[box->main].is_layer)) box->main = i;
        box->is_block = blocks && box->n_nodes > 1;
        if (node->change != GONE) box->last = i;
        if (node->change != GONE && node->change > box->change) box->change = node->change;
    }
    for (int b = 0; b < s->n_boxes; b++) {
        if (s->nodes[s->boxes[b].main].change == GONE) s->boxes[b].change = GONE;
        if (s->boxes[b].change == GONE) s->boxes[b].last = s->boxes[b].main;
    }
    return MC_OK;
}

/* Each pair of boxes once, sorted by the lower. */
static int make_edges(struct sketch *s, struct mc_error *err)
{
    struct mc_layered *d = &s->drawing;
    size_t most = 1;
    for (int i = 0; i < s->n_nodes; i++) most += (size_t)s->nodes[i].n_reads;
    d->edges = MC_ARENA_ARRAY(&s->arena, struct mc_layered_edge, most);
    int *seen = MC_ARENA_ARRAY(&s->arena, int, s->n_boxes); /* the last box + 1 that read it */
    int *begin = MC_ARENA_ARRAY(&s->arena, int, s->n_boxes + 1),
        *order = MC_ARENA_ARRAY(&s->arena, int, s->n_nodes + 1);
    if (!d->edges || !seen || !begin || !order) return mc_error_memory(err);
    for (int i = 0; i < s->n_nodes; i++) begin[s->nodes[i].box + 1]++;
    for (int b = 0; b < s->n_boxes; b++) begin[b + 1] += begin[b];
    for (int i = 0; i < s->n_nodes; i++) order[begin[s->nodes[i].box]++] = i; /* nodes box by box */
    for (int k = 0; k < s->n_nodes; k++) {
        const struct node *node = &s->nodes[order[k]];
        for (int r = 0; r < node->n_reads; r++) {
            const int from = s->nodes[node->reads[r]].box;
            if (from == node->box || seen[from] == node->box + 1) continue;
            seen[from] = node->box + 1;
            d->edges[d->n_edges++] = (struct mc_layered_edge){.from = from, .to = node->box};
        }
    }
    return MC_OK;
}

/* --- drawing --- */

/* At most so many letters, the end of them a sign that there are more. */
static void put_short(const char *text, int letters, struct mc_buf *out)
{
    const char *end = text;
    int n = 0;
    for (; *end; end++)
        if (((unsigned char)*end & 0xc0) != 0x80 && ++n > letters) break;
    char copy[128];
    snprintf(copy, sizeof copy, "%.*s", (int)(end - text), text);
    mc_markup_text(out, copy);
    if (*end) mc_buf_puts(out, "\u2026");
}

/* "Conv, Relu" */
static void put_types(const struct sketch *s, int b, struct mc_buf *out)
{
    char text[160];
    int length = snprintf(text, sizeof text, "%s", s->nodes[s->boxes[b].main].type);
    for (int i = 0; i < s->n_nodes && length < LETTERS; i++)
        if (s->nodes[i].box == b && i != s->boxes[b].main)
            length += snprintf(text + length, sizeof text - (size_t)length, ", %.40s", s->nodes[i].type);
    put_short(text, LETTERS, out);
}

/* What the names of a block's nodes begin with, up to a separator: "/layer1/layer1.0". */
static void put_block_name(const struct sketch *s, int b, struct mc_buf *out)
{
    char prefix[96] = "";
    bool begun = false;
    for (int i = 0; i < s->n_nodes; i++) {
        if (s->nodes[i].box != b) continue;
        if (!begun) snprintf(prefix, sizeof prefix, "%s", s->nodes[i].name);
        begun = true;
        size_t same = 0;
        while (prefix[same] && prefix[same] == s->nodes[i].name[same]) same++;
        prefix[same] = '\0';
    }
    size_t end = strlen(prefix);
    while (end > 0 && !strchr("/._:", prefix[end - 1])) end--;
    if (end > 1) prefix[end - 1] = '\0';
    if (end > 1)
        put_short(prefix, LETTERS, out);
    else
        put_types(s, b, out);
}

static void put_shape(const struct node *node, struct mc_buf *out)
{
    char text[160];
    if (node->after && strcmp(node->before, node->after) != 0)
        snprintf(text, sizeof text, "%.60s \u2192 %.60s", node->before, node->after);
    else
        snprintf(text, sizeof text, "%.100s", node->before);
    put_short(text, LETTERS + 2, out);
}

static void put_title(const struct sketch *s, int b, struct mc_buf *out)
{
    int n = 0;
    mc_buf_printf(out, "<title>%s", s->after ? change_names[s->boxes[b].change] : "");
    for (int i = 0; i < s->n_nodes && n <= MOST_IN_TITLE; i++) {
        const struct node *node = &s->nodes[i];
        if (node->box != b) continue;
        if (n++ == MOST_IN_TITLE) {
            mc_buf_puts(out, "\n\u2026");
            break;
        }
        mc_buf_puts(out, "\n");
        mc_markup_text(out, node->name);
        mc_buf_puts(out, " (");
        mc_markup_text(out, node->type);
        mc_buf_puts(out, ") ");
        put_shape(node, out);
        if (node->change == GONE) mc_buf_puts(out, " gone");
    }
    mc_buf_puts(out, "</title>");
}

static void draw_box(const struct sketch *s, int b, struct mc_buf *out)
{
    const double x = s->drawing.x[b], y = s->drawing.y[b];
    mc_buf_printf(out, "<g class=\"box %s\">", s->after ? change_names[s->boxes[b].change] : "same");
    put_title(s, b, out);
    mc_buf_printf(out,
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"4\"/><text x=\"%.1f\" y=\"%.1f\" "
                  "text-anchor=\"middle\">",
                  x - BOX_WIDTH / 2.0, y - BOX_HEIGHT / 2.0, BOX_WIDTH, BOX_HEIGHT, x, y - 4);
    if (s->boxes[b].is_block)
        put_block_name(s, b, out);
    else
        put_types(s, b, out);
    mc_buf_printf(out, "</text><text class=\"shape\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">", x, y + 12);
    put_shape(&s->nodes[s->boxes[b].last], out);
    mc_buf_puts(out, "</text></g>\n");
}

static void draw_edge(const struct mc_layered_edge *edge, struct mc_buf *out)
{
    mc_buf_printf(out, "<path class=\"edge\" d=\"M%.1f %.1f", edge->x[0], edge->y[0]);
    for (int i = 1; i < edge->n; i++) {
        const double middle = (edge->y[i - 1] + edge->y[i]) / 2;
        if (fabs(edge->x[i] - edge->x[i - 1]) < 0.5)
            mc_buf_printf(out, "V%.1f", edge->y[i]);
        else
            mc_buf_printf(out, "C%.1f %.1f %.1f %.1f %.1f %.1f", edge->x[i - 1], middle, edge->x[i], middle, edge->x[i],
                          edge->y[i]);
    }
    mc_buf_puts(out, "\" marker-end=\"url(#arrow)\"/>\n");
}

static void draw(const struct sketch *s, struct mc_buf *out)
{
    mc_buf_printf(
        out,
        "<div class=\"graph\" tabindex=\"0\" role=\"region\" aria-label=\"Graph of the model\"><svg width=\"%.0f\" "
        "height=\"%.0f\" viewBox=\"-2 -2 %.0f %.0f\" role=\"img\" aria-label=\"Graph of the model\"><defs><marker "
        "id=\"arrow\" markerWidth=\"7\" markerHeight=\"6\" refX=\"6\" refY=\"3\" orient=\"auto\"><path "
        "d=\"M0 0L7 3L0 6Z\" fill=\"currentColor\" opacity=\".55\"/></marker></defs>\n",
        s->drawing.width + 4, s->drawing.height + 4, s->drawing.width + 4, s->drawing.height + 4);
    for (int e = 0; e < s->drawing.n_edges; e++) draw_edge(&s->drawing.edges[e], out);
    for (int b = 0; b < s->n_boxes; b++) draw_box(s, b, out);
    mc_buf_puts(out, "</svg></div>\n");
}

static void put_keys(const struct sketch *s, struct mc_buf *out)
{
    static const char *const meanings[] = {"as it was", "more zeros", "narrower", "gone from the result"};
    if (!s->after) return;
    mc_buf_puts(out, "<p class=\"soft\">The original's graph.");
    for (size_t i = 0; i < MC_COUNT(meanings); i++)
        mc_buf_printf(out, " <span class=\"key %s\"></span>%s ", change_names[i], meanings[i]);
    mc_buf_puts(out, "</p>\n");
}

/* Nodes of the result that the original has not, in words. */
static int put_new(struct sketch *s, struct mc_buf *out, struct mc_error *err)
{
    char path[64];
    size_t n;
    int shown = 0;
    if (!s->after) return MC_OK;
    struct entry *before = sort_names(&s->arena, mc_record_get(s->graph, "nodes"), "", &n);
    if (!before) return mc_error_memory(err);
    snprintf(path, sizeof path, "%s.nodes", s->after);
    const struct mc_record *after = mc_record_get(s->record, path);
    for (size_t i = 0; i < mc_record_size(after) && shown <= MOST_NEW; i++) {
        const char *name = item_text(after, (int)i);
        if (find_name(before, n, name) >= 0) continue;
        mc_buf_puts(out, shown == 0          ? "<p>New in the result: <code>"
                         : shown == MOST_NEW ? ", <code>\u2026"
                                             : ", <code>");
        if (shown++ < MOST_NEW) mc_markup_text(out, name);
        mc_buf_puts(out, "</code>");
    }
    if (shown) mc_buf_puts(out, "</p>\n");
    return MC_OK;
}

static int sketch(struct sketch *s, struct mc_buf *out, struct mc_error *err)
{
    s->drawing =
        (struct mc_layered){.box_width = BOX_WIDTH, .box_height = BOX_HEIGHT, .gap = GAP, .rank_gap = RANK_GAP};
    int rc = read_nodes(s, err);
    if (rc == MC_OK) rc = read_layers(s, err);
    if (rc == MC_OK) rc = read_changes(s, err);
    if (rc < 0 || s->n_nodes == 0) return rc;
    rc = make_boxes(s, err);
    s->drawing.n_boxes = s->n_boxes;
    if (rc == MC_OK) rc = make_edges(s, err);
    if (rc == MC_OK) rc = mc_layered_place(&s->drawing, &s->arena, err);
    if (rc < 0) return rc;
    put_keys(s, out);
    draw(s, out);
    return put_new(s, out, err);
}

void mc_page_graph(const struct mc_record *record, struct mc_buf *out)
{
    const bool both = mc_record_get(record, "original.graph") && mc_record_get(record, "final.graph");
    struct sketch s = {.record = record,
                       .graph = mc_record_get(record, both ? "original.graph" : "graph"),
                       .after = both ? "final.graph" : NULL};
    mc_arena_init(&s.arena);
    if (s.graph && sketch(&s, out, NULL) < 0) out->failed = true;
    mc_arena_finish(&s.arena);
}
