/* write_model.c - the head of a model into its message; see writer.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "onnx/message.h"
#include "onnx/writer.h"

void mc_writer_init(struct mc_writer *writer, const struct mc_model *model)
{
    *writer = (struct mc_writer){.model = model};
    mc_arena_init(&writer->arena);
}

void mc_writer_finish(struct mc_writer *writer)
{
    mc_free(writer->stored);
    mc_arena_finish(&writer->arena);
}

/* --- versions --- */

enum { SPARSE_IR_VERSION = 6 }; /* that brought sparse initializers */

/* The first IR version of a release that knew the opset, from 8 on (onnx 1.23, helper.VERSION_TABLE). Earlier ones
 * would do for opsets below 15, but would want every initializer among the inputs or lack types. */
static int64_t ir_version_of_opset(int64_t opset)
{
    static const struct {
        int64_t opset, ir;
    } first[] = {{28, 14}, {25, 13}, {24, 12}, {23, 11}, {21, 10}, {19, 9}};
    for (size_t i = 0; i < MC_COUNT(first); i++)
        if (opset >= first[i].opset) return first[i].ir;
    return 8;
}

/* The IR version that brought an element type (onnx.proto, enum Version). */
static int64_t ir_version_of_dtype(enum mc_dtype dtype)
{
    switch (dtype) {
    case MC_BFLOAT16:
        return 4;
    case MC_FLOAT8E4M3FN:
    case MC_FLOAT8E4M3FNUZ:
    case MC_FLOAT8E5M2:
    case MC_FLOAT8E5M2FNUZ:
        return 9;
    case MC_UINT4:
    case MC_INT4:
        return 10;
    case MC_FLOAT4E2M1:
        return 11;
    case MC_FLOAT8E8M0:
        return 12;
    case MC_UINT2:
    case MC_INT2:
        return 13;
    default:
        return 1;
    }
}

/* What the parts of the model that did not come from the file ask for. */
static int64_t ir_version_needed(const struct mc_model *model, bool opsets_changed)
{
    int64_t version = 1;
    if (opsets_changed) version = ir_version_of_opset(mc_model_opset(model, ""));
    for (int i = 0; i < model->n_values; i++) {
        const struct mc_value *value = model->values[i];
        if (!value || !value->data || value->origin_tensor) continue;
        const int64_t own = ir_version_of_dtype(value->data->dtype);
        if (version < own) version = own;
        if (version < 4 && !value->is_input) version = 4; /* before, initializers were inputs as well */
    }
    return version;
}

/* --- opset imports --- */

static const char *normal_domain(const char *domain)
{
    return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

/* The highest version of a domain that a message imports; 0: none. */
static int64_t imported_version(const Onnx__ModelProto *p, const char *domain)
{
    int64_t version = 0;
    for (size_t i = 0; i < p->n_opset_import; i++)
        if (strcmp(normal_domain(p->opset_import[i]->domain), domain) == 0 && version < p->opset_import[i]->version)
            version = p->opset_import[i]->version;
    return version;
}

static bool opsets_are_changed(const struct mc_model *model, const Onnx__ModelProto *p)
{
    if (p->n_opset_import == 0) /* before IR version 3 there were no imports, and one set of operators */
        return !(model->origin && model->n_opsets == 1 && model->opsets[0].version == 1 && !*model->opsets[0].domain);
    for (int i = 0; i < model->n_opsets; i++)
        if (imported_version(p, model->opsets[i].domain) != model->opsets[i].version) return true;
    for (size_t i = 0; i < p->n_opset_import; i++)
        if (mc_model_opset(model, normal_domain(p->opset_import[i]->domain)) == 0) return true;
    return false;
}

static int write_opsets(struct mc_writer *w, Onnx__ModelProto *p, struct mc_error *err)
{
    const struct mc_model *model = w->model;
    p->n_opset_import = (size_t)model->n_opsets;
    p->opset_import = MC_ARENA_ARRAY(&w->arena, Onnx__OperatorSetIdProto *, model->n_opsets);
    Onnx__OperatorSetIdProto *imports = MC_ARENA_ARRAY(&w->arena, Onnx__OperatorSetIdProto, model->n_opsets);
    if (!p->opset_import || !imports) return mc_error_memory(err);
    for (int i = 0; i < model->n_opsets; i++) {
        onnx__operator_set_id_proto__init(&imports[i]);
        imports[i].domain = (char *)(uintptr_t)model->opsets[i].domain;
        imports[i].has_version = 1;
        imports[i].version = model->opsets[i].version;
        p->opset_import[i] = &imports[i];
    }
    return MC_OK;
}

/* --- the model --- */

int mc_write_model(struct mc_writer *w, Onnx__ModelProto **proto, struct mc_error *err)
{
    static char producer[] = "compress", producer_version[] = MC_VERSION;
    const struct mc_model *model = w->model;
    int rc = mc_model_check_whole(model, err);
    if (rc < 0) return rc;
    Onnx__ModelProto *p = MC_ARENA_NEW(&w->arena, Onnx__ModelProto);
    if (!p) return mc_error_memory(err);
    if (model->origin) {
        *p = *(const Onnx__ModelProto *)((const struct mc_message *)model->origin)->root;
    } else {
        onnx__model_proto__init(p);
        p->producer_name = producer;
        p->producer_version = producer_version;
    }
    if (model->inlined) p->n_functions = 0;
    const bool changed = opsets_are_changed(model, p);
    const int64_t ir_version = ir_version_needed(model, changed);
    if (p->ir_version < ir_version) {
        p->has_ir_version = 1;
        p->ir_version = ir_version;
    }
    rc = mc_write_graph(w, model->graph, &p->graph, err);
    if (w->has_sparse && p->ir_version < SPARSE_IR_VERSION) {
        p->has_ir_version = 1;
        p->ir_version = SPARSE_IR_VERSION;
    }
    const bool lacks = p->ir_version >= 3 && p->n_opset_import == 0; /* a file of before, whose version was raised */
    if (rc == MC_OK && (changed || lacks)) rc = write_opsets(w, p, err);
    *proto = p;
    return rc;
}
