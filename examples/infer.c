/* infer.c - run a model on numbers that a program has in memory.
 *
 *   infer MODEL.onnx
 *
 * The model takes one float32 tensor [1, 1, 28, 28], which is filled with a ramp from 0 to 1; the largest of its scores is
 * told.
 */
#include <compress/compress.h>
#include <stdlib.h>

enum { SIDE = 28, N = SIDE * SIDE };

static void tell(const struct mc_tensor *tensor)
{
    struct mc_tensor_contents scores;
    mc_tensor_read(tensor, &scores);
    const float *x = scores.data;
    size_t largest = 0;
    for (size_t i = 1; i < scores.bytes / sizeof *x; i++)
        if (x[i] > x[largest]) largest = i;
    printf("of %zu scores number %zu is the largest\n", scores.bytes / sizeof *x, largest);
}

int main(int argc, char **argv)
{
    static float pixels[N];
    const int64_t dims[] = {1, 1, SIDE, SIDE};
    const struct mc_tensor_contents contents = {MC_TYPE_FLOAT, 4, dims, pixels, sizeof pixels};
    struct mc_error err = {0};
    struct mc_model *model = NULL;
    struct mc_tensor *input = NULL, *output = NULL;
    for (int i = 0; i < N; i++) pixels[i] = (float)i / N;
    int rc = mc_model_load(&model, argc > 1 ? argv[1] : "model.onnx", &err);
    if (rc == MC_OK) rc = mc_tensor_from(&input, &contents, &err);
    if (rc == MC_OK) rc = mc_model_run(model, NULL, &input, 1, &output, &err);
    if (rc == MC_OK) tell(output);
    if (rc < 0) fprintf(stderr, "infer: %s\n", err.text);
    mc_tensor_destroy(output);
    mc_tensor_destroy(input);
    mc_model_destroy(model);
    return -rc;
}
