/* record.h - the one structure that gathers what was done and measured (DESIGN, idea 5).
 *
 * A record is a tree of JSON kind: objects keep insertion order, so that the same run prints the same bytes.
 * Whoever measures puts figures in under the documented keys (docs/record.md); every report prints what is in the
 * record and nothing else; gates read it. A struct mc_record is a handle on one value of the tree; handles are lent and
 * live as long as the record.
 */
#ifndef MC_REPORT_RECORD_H
#define MC_REPORT_RECORD_H

#include "compress/compress.h"

struct mc_record;

int mc_record_create(struct mc_record **record, struct mc_error *err);
/* What every record of a verb begins with: the version of docs/record.schema.json, a title, this program. */
void mc_record_begin(struct mc_record *record, const char *title);

/* Setters remember the first failure of memory inside the record; mc_record_check reports it once, at the end. Keys are
 * set in the given object; setting one again replaces it. */
void mc_record_set_int(struct mc_record *object, const char *key, int64_t value);
void mc_record_set_num(struct mc_record *object, const char *key, double value); /* NaN and infinity become null */
void mc_record_set_text(struct mc_record *object, const char *key, const char *value); /* NULL becomes null; what is no
                                                                                        * UTF-8 gets '?' in its place */
void mc_record_set_bool(struct mc_record *object, const char *key, bool value);
/* A copy of another part of the same record, or of another record. */
void mc_record_set_record(struct mc_record *object, const char *key, const struct mc_record *value);
/* New (or existing) child, lent. NULL only without memory, which all functions accept as object. */
struct mc_record *mc_record_object(struct mc_record *object, const char *key);
struct mc_record *mc_record_array(struct mc_record *object, const char *key);
struct mc_record *mc_record_append_object(struct mc_record *array);
struct mc_record *mc_record_append_array(struct mc_record *array);
void mc_record_append_int(struct mc_record *array, int64_t value);
void mc_record_append_num(struct mc_record *array, double value);
void mc_record_append_text(struct mc_record *array, const char *value);
void mc_record_append_record(struct mc_record *array, const struct mc_record *value); /* a copy */

/* From JSON text; `name` stands in messages. MC_ERR_INPUT as mc_record_load. */
int mc_record_parse(struct mc_record **record, const char *name, const void *bytes, size_t length,
                    struct mc_error *err);

/* Getters, destructor and writers are public: compress/compress.h. */

/* MC_ERR_SYSTEM if a setter ran out of memory. */
int mc_record_check(const struct mc_record *record, struct mc_error *err);

#endif
