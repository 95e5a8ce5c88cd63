/* run_cases.c - runs the models of many test folders in one process, for tools that are slow to start.
 *
 *     onnx_node_tests.py generate --data DIR, or any folders of that layout; then
 *     OMP_NUM_THREADS=1 valgrind --error-exitcode=9 build/tests/conformance/run_cases SCRATCH DIR/test_*
 *
 * Of each folder it loads model.onnx, runs it on every test_data_set_N and writes what comes out to SCRATCH, so that
 * each byte of it is looked at; whether it is right is for conformance.py. Each folder is named before it is run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "compress/compress.h"

enum { MAX_ITEMS = 64, MAX_PATH = 4096 };

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int load_inputs(const struct mc_model *model, const char *set, struct mc_item **inputs, struct mc_error *err)
{
    char path[MAX_PATH];
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < mc_model_n_inputs(model); i++) {
        snprintf(path, sizeof path, "%s/input_%d.pb", set, i);
        rc = mc_model_load_input(model, i, path, &inputs[i], err);
    }
    return rc;
}

static int save_outputs(const struct mc_model *model, const char *scratch, struct mc_item *const *outputs,
                        struct mc_error *err)
{
    char path[MAX_PATH];
    int rc = MC_OK;
    for (int i = 0; rc == MC_OK && i < mc_model_n_outputs(model); i++) {
        snprintf(path, sizeof path, "%s/output_%d.pb", scratch, i);
        rc = mc_model_save_output(model, i, outputs[i], path, false, true, err);
    }
    return rc;
}

static int run_set(const struct mc_model *model, const char *set, const char *scratch, struct mc_error *err)
{
    struct mc_item *inputs[MAX_ITEMS] = {0}, *outputs[MAX_ITEMS] = {0};
    int rc = load_inputs(model, set, inputs, err);
    if (rc == MC_OK) rc = mc_model_run_items(model, NULL, inputs, mc_model_n_inputs(model), outputs, err);
    if (rc == MC_OK) rc = save_outputs(model, scratch, outputs, err);
    for (int i = 0; i < MAX_ITEMS; i++) {
        mc_item_release(inputs[i]);
        mc_item_release(outputs[i]);
    }
    return rc;
}

static int run_case(const char *folder, const char *scratch, struct mc_error *err)
{
    struct mc_model *model = NULL;
    char path[MAX_PATH / 2];
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    int rc = mc_model_load(&model, path, err);
    if (rc == MC_OK && (mc_model_n_inputs(model) > MAX_ITEMS || mc_model_n_outputs(model) > MAX_ITEMS))
        rc = MC_ERR_UNSUPPORTED;
    for (int n = 0; rc == MC_OK; n++) {
        snprintf(path, sizeof path, "%s/test_data_set_%d", folder, n);
        if (!exists(path)) break;
        rc = run_set(model, path, scratch, err);
    }
    mc_model_destroy(model);
    return rc;
}

int main(int argc, char **argv)
{
    int passed = 0, refused = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: %s SCRATCH FOLDER...\n", argv[0]);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct mc_error err = {0};
        fprintf(stderr, "%s\n", argv[i]);
        const int rc = run_case(argv[i], argv[1], &err);
        passed += rc == MC_OK;
        refused += rc == MC_ERR_UNSUPPORTED;
        if (rc < 0) fprintf(stderr, "%s: %s\n", mc_status_name(rc), err.text);
    }
    printf("%d passed, %d failed, %d skipped\n", passed, argc - 2 - passed - refused, refused);
    return passed + refused != argc - 2;
}
