/* load.c - ONNX files to models; see onnx.h. */
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/file.h"
#include "onnx/functions.h"
#include "onnx/guard.h"
#include "onnx/message.h"
#include "onnx/onnx.h"
#include "onnx/reader.h"

/* Far more than there are domains: every node looks through them. */
#define MAX_OPSETS 1024

static int check_header(const Onnx__ModelProto *p, struct mc_error *err)
{
    if (!p->graph) return mc_error_set(err, MC_ERR_INPUT, "the model has no graph");
    /* IR version 3 brought the imports; before, there was one set of operators, version 1. */
    if (p->ir_version >= 3 && p->n_opset_import == 0)
        return mc_error_set(err, MC_ERR_INPUT, "the model imports no opset, IR version %lld needs one",
                            (long long)p->ir_version);
    if (p->n_opset_import > MAX_OPSETS)
        return mc_error_set(err, MC_ERR_INPUT, "%zu opset imports are more than the %d that are read",
                            p->n_opset_import, MAX_OPSETS);
    return MC_OK;
}

/* Of several versions of one domain the highest holds (onnx.proto, ModelProto.opset_import). */
static bool import_opset(struct mc_model *model, const char *domain, int64_t version)
{
    for (int k = 0; k < model->n_opsets; k++) {
        struct mc_opset *known = &model->opsets[k];
        if (strcmp(known->domain, domain) != 0) continue;
        if (known->version < version) known->version = version;
        return true;
    }
    domain = mc_arena_strdup(&model->arena, domain);
    if (domain) model->opsets[model->n_opsets++] = (struct mc_opset){domain, version};
    return domain != NULL;
}

static int read_opsets(struct mc_model *model, const Onnx__ModelProto *p, struct mc_error *err)
{
    if (p->n_opset_import == 0) return MC_OK; /* as created: version 1 */
    model->n_opsets = 0;
    model->opsets = MC_ARENA_ARRAY(&model->arena, struct mc_opset, p->n_opset_import);
    if (!model->opsets) return mc_error_memory(err);
    for (size_t i = 0; i < p->n_opset_import; i++) {
        const char *domain = p->opset_import[i]->domain;
        const int64_t version = p->opset_import[i]->version;
        if (!domain || strcmp(domain, "ai.onnx") == 0) domain = "";
        if (version < 1 || version > INT_MAX)
            return mc_error_set(err, MC_ERR_INPUT, "version %lld of opset '%s' cannot be", (long long)version, domain);
        if (!import_opset(model, domain, version)) return mc_error_memory(err);
    }
    return MC_OK;
}

/* Make a model of a message, taking over the caller's use of it (also on failure). */
static int build(struct mc_model **model, struct mc_message *message, const struct mc_external *external,
                 const char *name, struct mc_error *err)
{
    const Onnx__ModelProto *p = (const Onnx__ModelProto *)message->root;
    struct mc_model *m = NULL;
    int rc = check_header(p, err);
    if (rc == MC_OK) rc = mc_model_create(&m, 1, err);
    if (rc < 0) {
        mc_origin_release(&message->origin);
        return rc;
    }
    m->origin = &message->origin; /* from here on the model holds it */
    m->path = mc_arena_strdup(&m->arena, name);
    m->graph->name = mc_arena_strdup(&m->arena, p->graph->name ? p->graph->name : "");
    if (!m->path || !m->graph->name) rc = mc_error_memory(err);
    if (rc == MC_OK) rc = mc_functions_create(&message->functions, p, err);
    if (rc == MC_OK && message->functions) rc = mc_external_keep(&message->external, external, err);
    struct mc_reader reader = {.model = m, .external = *external};
    if (rc == MC_OK) rc = read_opsets(m, p, err);
    if (rc == MC_OK) rc = mc_read_graph(&reader, m->graph, p->graph, NULL, err);
    if (rc < 0)
        mc_model_destroy(m);
    else
        *model = m;
    return rc;
}

int mc_onnx_load_with(struct mc_model **model, const struct mc_file_view *file, const struct mc_external *external,
                      const char *name, struct mc_error *err)
{
    struct mc_message *message;
    int rc = file->length > 0 ? MC_OK : mc_error_set(err, MC_ERR_INPUT, "the file is empty");
    if (rc == MC_OK) rc = mc_message_unpack(&message, &onnx__model_proto__descriptor, file, err);
    if (rc == MC_OK) rc = build(model, message, external, name, err);
    return rc < 0 ? mc_error_wrap(err, rc, "cannot load '%s'", name) : MC_OK;
}

int mc_onnx_load_view(struct mc_model **model, const struct mc_file_view *file, const char *dir, const char *name,
                      struct mc_error *err)
{
    return mc_onnx_load_with(model, file, &(struct mc_external){.dir = dir}, name, err);
}

int mc_onnx_load_bytes(struct mc_model **model, const void *bytes, size_t length, const char *dir, const char *name,
                       struct mc_error *err)
{
    return mc_onnx_load_view(model, &(struct mc_file_view){.data = bytes, .length = length}, dir, name, err);
}

int mc_onnx_load(struct mc_model **model, const char *path, struct mc_error *err)
{
    struct mc_file_view file;
    int rc = mc_file_open(&file, path, MC_GUARD_MAX_BYTES, err);
    if (rc < 0) return rc; /* the error names the file */
    char *dir = mc_path_dir(path);
    rc = dir ? mc_onnx_load_view(model, &file, dir, path, err) : mc_error_memory(err);
    mc_file_close(&file); /* the message has all that is needed of it */
    mc_free(dir);
    return rc;
}
