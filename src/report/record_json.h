/* record_json.h - the jansson value behind a record, for the writers of this room. */
#ifndef MC_REPORT_RECORD_JSON_H
#define MC_REPORT_RECORD_JSON_H

#include <jansson.h>

#include "report/record.h"

json_t *mc_record_json(const struct mc_record *record); /* lent */

#endif
