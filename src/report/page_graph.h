/* page_graph.h - the graph of the model on the page, with what became of its nodes. */
#ifndef MC_REPORT_PAGE_GRAPH_H
#define MC_REPORT_PAGE_GRAPH_H

#include "base/buf.h"
#include "report/record.h"

/* The original's graph, each node marked as narrower, sparser or gone in the result; of a measurement, its graph alone.
 * A large one is folded: nodes without weights into what they read, then whole stretches between two places where a
 * single value passes. Nothing where the record has no graph. */
void mc_page_graph(const struct mc_record *record, struct mc_buf *out);

#endif
