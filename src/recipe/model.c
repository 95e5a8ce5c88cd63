/* model.c - models from and to files, as the public interface has it; see compress.h. */
#include "code/packed_file.h"
#include "graph/extents.h"
#include "onnx/onnx.h"
#include "op/ops.h"

int mc_model_load(struct mc_model **model, const char *path, struct mc_error *err)
{
    struct mc_model *loaded;
    const int rc = mc_packed_load(&loaded, path, err);
    if (rc < 0) return rc;
    mc_ops_bind(loaded);
    *model = loaded;
    return MC_OK;
}

int mc_model_settle(struct mc_model *model, const char *dims, struct mc_error *err)
{
    return mc_model_set_extents(model, dims, err);
}

int mc_model_save(const struct mc_model *model, const char *path, bool overwrite, struct mc_error *err)
{
    return mc_onnx_save(model, path, &(struct mc_onnx_save_options){.overwrite = overwrite}, err);
}
