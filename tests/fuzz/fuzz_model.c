/* fuzz_model.c - bytes of a model: whatever loads must save, load again as the same, and survive a clone. With its
 * functions put in the place of their calls it must save and load, too. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz.h"
#include "onnx/onnx.h"

static void save(const struct mc_model *model, unsigned char **bytes, size_t *length)
{
    if (mc_onnx_save_bytes(model, bytes, length, NULL) < 0) abort();
}

static const struct mc_op *nothing_known(const char *domain, const char *type, int64_t version)
{
    return NULL;
}

static void inline_calls(struct mc_model *model)
{
    struct mc_model *again;
    unsigned char *bytes;
    size_t length;
    if (mc_onnx_inline(model, nothing_known, NULL) < 0) return;
    save(model, &bytes, &length);
    if (mc_onnx_load_bytes(&again, bytes, length, NULL, "fuzz", NULL) < 0) abort();
    mc_model_destroy(again);
    mc_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mc_model *first, *second, *copy;
    unsigned char *once, *twice, *cloned;
    size_t n_once, n_twice, n_cloned;
    if (mc_onnx_load_bytes(&first, data, size, NULL, "fuzz", NULL) < 0) return 0;
    save(first, &once, &n_once);
    if (mc_onnx_load_bytes(&second, once, n_once, NULL, "fuzz", NULL) < 0) abort();
    save(second, &twice, &n_twice);
    if (mc_model_clone(&copy, second, false, NULL) < 0) abort();
    mc_model_destroy(second);
    save(copy, &cloned, &n_cloned);
    if (n_twice != n_once || memcmp(once, twice, n_once) != 0) abort();
    if (n_cloned != n_once || memcmp(once, cloned, n_once) != 0) abort();
    mc_free(once);
    mc_free(twice);
    mc_free(cloned);
    mc_model_destroy(first);
    inline_calls(copy);
    mc_model_destroy(copy);
    return 0;
}
