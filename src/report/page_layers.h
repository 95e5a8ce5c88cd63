/* page_layers.h - layers on the page: sizes and costs before and after, and how their weights lie. */
#ifndef MC_REPORT_PAGE_LAYERS_H
#define MC_REPORT_PAGE_LAYERS_H

#include "base/buf.h"
#include "report/record.h"

/* A row for each layer; nothing where the record has none. */
void mc_page_layers(const struct mc_record *record, struct mc_buf *out);
/* A histogram for each layer's weights. */
void mc_page_weights(const struct mc_record *record, struct mc_buf *out);

#endif
