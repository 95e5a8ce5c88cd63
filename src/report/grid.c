/* grid.c - rows and columns of text; see grid.h. */
#include "report/grid.h"

#include <assert.h>
#include <stdarg.h>

#include "base/alloc.h"

enum { MAX_CELL = 512 };

void mc_grid_init(struct mc_grid *grid, const char *title, int n_columns, uint64_t left, bool headed)
{
    assert(n_columns > 0);
    *grid = (struct mc_grid){.title = title, .n_columns = n_columns, .left = left, .headed = headed};
    mc_arena_init(&grid->arena);
}

void mc_grid_finish(struct mc_grid *grid)
{
    mc_free(grid->cells);
    mc_arena_finish(&grid->arena);
}

void mc_grid_add(struct mc_grid *grid, const char *fmt, ...)
{
    char text[MAX_CELL];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    const char *copy = mc_arena_strdup(&grid->arena, text);
    if (!copy || !mc_grow((void **)&grid->cells, grid->n_cells, &grid->capacity, sizeof *grid->cells))
        grid->failed = true;
    else
        grid->cells[grid->n_cells++] = copy;
}

void mc_grid_end_row(struct mc_grid *grid)
{
    while (!grid->failed && grid->n_cells % (size_t)grid->n_columns != 0) mc_grid_add(grid, "%s", "");
}

int mc_grid_n_rows(const struct mc_grid *grid)
{
    return (int)(grid->n_cells / (size_t)grid->n_columns);
}

const char *mc_grid_cell(const struct mc_grid *grid, int row, int column)
{
    return grid->cells[(size_t)row * (size_t)grid->n_columns + (size_t)column];
}

bool mc_grid_is_text(const struct mc_grid *grid, int column)
{
    return column < 64 && (grid->left >> column & 1) != 0;
}

int mc_text_width(const char *text)
{
    int width = 0;
    for (; *text; text++) width += ((unsigned char)*text & 0xc0) != 0x80; /* continuation bytes add none */
    return width;
}
