/* shrink.c - make a model smaller from a program: channels away, a gate, the record.
 *
 *   shrink MODEL.onnx OUT.onnx MAX-BYTES
 *
 * Exit status 1 if the result has more bytes than that.
 */
#include <compress/compress.h>

/* What the command line says as --ratio 0.5 --method channel, and as --max-bytes. */
static int describe(struct mc_recipe *recipe, char **argv, struct mc_error *err)
{
    int rc = mc_recipe_set_text(recipe, "model", argv[1], NULL, err);
    if (rc == MC_OK) rc = mc_recipe_set(recipe, "steps.0.prune", "{method: channel, ratio: 0.5}", NULL, err);
    if (rc == MC_OK) rc = mc_recipe_set_text(recipe, "output.model", argv[2], NULL, err);
    if (rc == MC_OK) rc = mc_recipe_set_text(recipe, "gates.max_bytes", argv[3], NULL, err);
    return rc;
}

int main(int argc, char **argv)
{
    struct mc_error err = {0};
    struct mc_recipe *recipe = NULL;
    struct mc_record *record = NULL;
    if (argc != 4) {
        fprintf(stderr, "shrink MODEL.onnx OUT.onnx MAX-BYTES\n");
        return 2;
    }
    int rc = mc_recipe_create(&recipe, &err);
    if (rc == MC_OK) rc = describe(recipe, argv, &err);
    if (rc == MC_OK) rc = mc_recipe_run(recipe, NULL, NULL, true, &record, &err);
    if (record)
        printf("%lld bytes became %lld\n", (long long)mc_record_get_int(record, "original.bytes", -1),
               (long long)mc_record_get_int(record, "final.bytes", -1));
    if (rc < 0) fprintf(stderr, "shrink: %s\n", err.text);
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
    return -rc;
}
