/* changes.c - what steps did to channels and layers; see changes.h. */
#include "report/changes.h"

#include <stdio.h>

#include "base/alloc.h"
#include "report/quantity.h"

/* Groups of channels that lie along the same axes: what was cut, then what had to stay and who says so. */
static void show_families_of(struct mc_printing *p, const struct mc_record *families, const char *title)
{
    static const struct mc_quantity columns[] = {
        {"axis", "axis", MC_AS_COUNT},
        {"width", "width", MC_AS_COUNT},
        {"width_after", "after", MC_AS_COUNT},
        {"groups_before", "groups", MC_AS_COUNT},
        {"groups_after", "after", MC_AS_COUNT},
        {"score_least", "least score", MC_AS_FINE},
        {"score_removed", "removed to", MC_AS_FINE},
        {"score_most", "largest", MC_AS_FINE},
    };
    struct mc_grid grid;
    mc_grid_init(&grid, title, 2 + (int)MC_COUNT(columns), MC_GRID_TEXT(0) | MC_GRID_TEXT(9), true);
    mc_grid_add(&grid, "channels of");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    mc_grid_add(&grid, "tied to");
    for (size_t i = 0; i < mc_record_size(families); i++) {
        const struct mc_record *family = mc_record_at(families, i), *tied = mc_record_get(family, "tensors");
        char text[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "%s", mc_record_get_text(family, "tensor", "?"));
        for (size_t c = 0; c < MC_COUNT(columns); c++)
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], family, text));
        mc_grid_add(&grid, "%zu tensors", mc_record_size(tied));
    }
    mc_section_show(p, &grid);
}

static void show_frozen_of(struct mc_printing *p, const struct mc_record *frozen, const char *title)
{
    struct mc_grid grid;
    mc_grid_init(&grid, title, 5, MC_GRID_TEXT(0) | MC_GRID_TEXT(3) | MC_GRID_TEXT(4), true);
    static const char *const heads[] = {"channels of", "axis", "width", "because", "node"};
    for (size_t i = 0; i < MC_COUNT(heads); i++) mc_grid_add(&grid, "%s", heads[i]);
    for (size_t i = 0; i < mc_record_size(frozen); i++) {
        const struct mc_record *family = mc_record_at(frozen, i);
        char text[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "%s", mc_record_get_text(family, "tensor", "?"));
        mc_grid_add(&grid, "%s", mc_count_text(mc_record_get_int(family, "axis", 0), text));
        mc_grid_add(&grid, "%s", mc_count_text(mc_record_get_int(family, "width", 0), text));
        mc_grid_add(&grid, "%s", mc_record_get_text(family, "why", ""));
        mc_grid_add(&grid, "%s", mc_record_get_text(family, "node", ""));
    }
    mc_section_show(p, &grid);
}

void mc_changes_show_channels(struct mc_printing *p)
{
    const struct mc_record *steps = mc_record_get(p->record, "steps");
    for (size_t i = 0; p->details && i < mc_record_size(steps); i++) {
        const struct mc_record *step = mc_record_at(steps, i);
        char title[64];
        snprintf(title, sizeof title, "Channels in step %zu", i + 1);
        show_families_of(p, mc_record_get(step, "families"), title);
        snprintf(title, sizeof title, "Kept whole in step %zu", i + 1);
        show_frozen_of(p, mc_record_get(step, "frozen"), title);
    }
}

static void show_ranks_of(struct mc_printing *p, const struct mc_record *layers, const char *title)
{
    static const struct mc_quantity columns[] = {
        {"outputs", "outputs", MC_AS_COUNT}, {"inputs", "inputs", MC_AS_COUNT},    {"rank", "rank", MC_AS_COUNT},
        {"energy", "kept", MC_AS_SHARE},     {"macs_before", "MACs", MC_AS_COUNT}, {"macs_after", "after", MC_AS_COUNT},
    };
    struct mc_grid grid;
    mc_grid_init(&grid, title, 2 + (int)MC_COUNT(columns), MC_GRID_TEXT(0) | MC_GRID_TEXT(7), true);
    mc_grid_add(&grid, "weight");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    mc_grid_add(&grid, "left because");
    for (size_t i = 0; i < mc_record_size(layers); i++) {
        const struct mc_record *layer = mc_record_at(layers, i);
        char text[MC_QUANTITY_TEXT];
        mc_grid_add(&grid, "%s", mc_record_get_text(layer, "tensor", "?"));
        for (size_t c = 0; c < MC_COUNT(columns); c++)
            mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], layer, text));
        mc_grid_add(&grid, "%s", mc_record_get_text(layer, "why", ""));
    }
    mc_section_show(p, &grid);
}

void mc_changes_show_ranks(struct mc_printing *p)
{
    const struct mc_record *steps = mc_record_get(p->record, "steps");
    for (size_t i = 0; p->details && i < mc_record_size(steps); i++) {
        char title[64];
        snprintf(title, sizeof title, "Ranks in step %zu", i + 1);
        show_ranks_of(p, mc_record_get(mc_record_at(steps, i), "layers"), title);
    }
}

/* What each layer's width is worth: a row for each width that was tried. */
void mc_changes_show_sensitivity(struct mc_printing *p)
{
    const struct mc_record *families =
        mc_record_get(p->record, "baseline") ? mc_record_get(p->record, "families") : NULL;
    static const struct mc_quantity columns[] = {
        {"ratio", "removed", MC_AS_SHARE},          {"width", "width", MC_AS_COUNT},
        {"macs_share", "MACs left", MC_AS_SHARE},   {"loss", "loss", MC_AS_REAL},
        {"loss_change", "change", MC_AS_REAL},      {"accuracy", "accuracy", MC_AS_SHARE},
        {"accuracy_change", "change", MC_AS_SHARE}, {"mse", "MSE", MC_AS_REAL},
    };
    struct mc_grid grid;
    mc_grid_init(&grid, p->details ? "Sensitivity" : NULL, 1 + (int)MC_COUNT(columns), MC_GRID_TEXT(0), true);
    mc_grid_add(&grid, "channels of");
    for (size_t c = 0; c < MC_COUNT(columns); c++) mc_grid_add(&grid, "%s", columns[c].label);
    for (size_t i = 0; i < mc_record_size(families); i++) {
        const struct mc_record *family = mc_record_at(families, i), *points = mc_record_get(family, "points");
        for (size_t k = 0; k < mc_record_size(points); k++) {
            char text[MC_QUANTITY_TEXT];
            mc_grid_add(&grid, "%s", k == 0 ? mc_record_get_text(family, "tensor", "?") : "");
            for (size_t c = 0; c < MC_COUNT(columns); c++)
                mc_grid_add(&grid, "%s", mc_quantity_text(&columns[c], mc_record_at(points, k), text));
        }
    }
    mc_section_show(p, &grid);
}
