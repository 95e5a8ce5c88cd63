/* cells.h - a table of text with a header line (RFC 4180: quotes, doubled quotes, CR LF), held in memory. */
#ifndef MC_DATA_CELLS_H
#define MC_DATA_CELLS_H

#include "compress/compress.h"

enum { MC_CELLS_MAX_COLUMNS = 65536 };

struct mc_cells {
    char *path; /* for messages */
    char *text; /* the whole file, each cell ended by 0 */
    int n_columns;
    const char **names; /* the header; they point into `text` */
    int64_t n_rows;
    uint32_t *offsets; /* [n_rows, n_columns] of cells in `text` */
    uint32_t *lines;   /* [n_rows] where a row begins in the file, counted from 1 */
};

/* Files up to 2 GiB; empty lines are left out. MC_ERR_INPUT with file and line for anything that is no table: a line of
 * another number of columns, a quote that is never closed, a zero byte, no line behind the header. `cells` is finished
 * by the caller in any case. */
int mc_cells_read(struct mc_cells *cells, const char *path, char separator, struct mc_error *err);
void mc_cells_finish(struct mc_cells *cells);

const char *mc_cells_at(const struct mc_cells *cells, int64_t row, int column);
/* Column of that name; MC_ERR_USAGE with the nearest if there is none. */
int mc_cells_find(const struct mc_cells *cells, const char *name, int *column, struct mc_error *err);
/* "'FILE':LINE: column 'NAME': needs …, has '…'": MC_ERR_INPUT. */
int mc_cells_refuse(const struct mc_cells *cells, int64_t row, int column, const char *needs, struct mc_error *err);

/* A finite decimal number, blanks around it allowed. */
bool mc_cell_number(const char *text, double *value);

#endif
