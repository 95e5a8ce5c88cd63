/* test_run.c - whole recipes through the public interface: what they write, what they leave, what they say. */
#include "scratch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define DATA "glyphs,train=200,test=60"

/* A 784-12-10 network fitted to a few glyphs; its path. */
static const char *make_model_of(void **state, const char *architecture)
{
    const char *path = scratch_path(state, "net.onnx");
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    struct mc_record *record;
    assert_ok(mc_recipe_create(&recipe, &err), err);
    assert_ok(mc_recipe_set(recipe, "model", architecture, NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "data", DATA, NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "steps.0.train.epochs", "2", NULL, &err), err);
    assert_ok(mc_recipe_set_text(recipe, "output.model", path, NULL, &err), err);
    assert_ok(mc_recipe_run(recipe, NULL, NULL, false, &record, &err), err);
    mc_record_destroy(record);
    mc_recipe_destroy(recipe);
    return path;
}

static const char *make_model(void **state)
{
    return make_model_of(state, "mlp:784-12-10");
}

/* A recipe on that model that writes small.onnx and report.json into the scratch folder. */
static struct mc_recipe *make_recipe(void **state)
{
    struct mc_error err = {0};
    struct mc_recipe *recipe;
    const char *model = make_model(state);
    assert_ok(mc_recipe_create(&recipe, &err), err);
    assert_ok(mc_recipe_set_text(recipe, "model", model, NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "data", DATA, NULL, &err), err);
    assert_ok(mc_recipe_set(recipe, "output", "{model: small.onnx, report: [json]}", NULL, &err), err);
    return recipe;
}

static void set(struct mc_recipe *recipe, const char *path, const char *value)
{
    struct mc_error err = {0};
    assert_ok(mc_recipe_set(recipe, path, value, NULL, &err), err);
}

static int run(void **state, struct mc_recipe *recipe, struct mc_record **record, struct mc_error *err)
{
    *err = (struct mc_error){0};
    *record = NULL;
    return mc_recipe_run(recipe, NULL, *state, false, record, err);
}

static void test_steps_shrink_the_model_and_the_record_says_by_how_much(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune", "{method: channel, ratio: 0.5}");
    set(recipe, "steps.1.prune", "{sparsity: 0.8}");
    assert_ok(run(state, recipe, &r, &err), err);
    assert_int_equal(mc_record_get_int(r, "original.parameters", 0), 784 * 12 + 12 + 12 * 10 + 10);
    assert_int_equal(mc_record_get_int(r, "steps.0.result.parameters", 0), 784 * 6 + 6 + 6 * 10 + 10);
    assert_int_equal(mc_record_get_int(r, "final.macs", 0), 784 * 6 + 6 * 10);
    /* a fifth of the 4764 weights, and at most the 16 biases beside them */
    const int64_t nonzeros = mc_record_get_int(r, "final.nonzeros", 0);
    assert_in_range(nonzeros, 953, 953 + 16);
    assert_int_equal(mc_record_get_int(r, "final.samples", 0), 60);
    assert_true(mc_record_get_num(r, "final.accuracy", -1) >= mc_record_get_num(r, "final.accuracy_low", 2));
    assert_true(mc_record_get_bool(r, "self_check.outputs", false));
    assert_true(mc_record_get_bool(r, "gates_held", false));

    struct mc_model *model;
    struct mc_record *info;
    assert_ok(mc_model_load(&model, scratch_path(state, "small.onnx"), &err), err);
    assert_ok(mc_model_info(model, NULL, &info, &err), err);
    assert_int_equal(mc_record_get_int(info, "nonzeros", 0), nonzeros);
    assert_int_equal(mc_record_get_int(info, "bytes", 0), mc_record_get_int(r, "final.bytes", -1));
    assert_int_equal(scratch_count(state), 3); /* net.onnx, small.onnx, report.json */
    mc_record_destroy(info);
    mc_model_destroy(model);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_the_record_has_the_graph_and_how_weights_lie(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    int64_t sum = 0;
    set(recipe, "steps.0.prune", "{sparsity: 0.8}");
    assert_ok(run(state, recipe, &r, &err), err);
    const struct mc_record *layer = mc_record_get(r, "final.layers.0"), *graph = mc_record_get(r, "final.graph");
    const struct mc_record *counts = mc_record_get(layer, "weights.counts");
    for (size_t i = 0; i < mc_record_size(counts); i++) sum += mc_record_get_int(mc_record_at(counts, i), "", 0);
    assert_in_range(sum, mc_record_get_int(layer, "nonzeros", 0) - 12,
                    mc_record_get_int(layer, "nonzeros", 0)); /* biases */
    assert_true(mc_record_get_num(layer, "weights.low", 1) < 0 && mc_record_get_num(layer, "weights.high", -1) > 0);
    const size_t n = mc_record_size(mc_record_get(graph, "nodes"));
    assert_true(n >= 3);
    assert_int_equal(mc_record_size(mc_record_get(graph, "reads")), n);
    assert_string_equal(mc_record_get_text(layer, "layer", ""), mc_record_get_text(graph, "nodes.1", "?"));
    assert_int_equal(mc_record_get_int(graph, "reads.1.0", -1), 0);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_measuring_stops_at_what_was_asked_for(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune", "{sparsity: 0.5}");
    set(recipe, "measure", "counts");
    assert_ok(run(state, recipe, &r, &err), err);
    const int64_t bytes = mc_record_get_int(r, "final.bytes", -1);
    assert_int_equal(bytes, mc_record_get_int(r, "outputs.0.bytes", -2));
    assert_null(mc_record_get(r, "final.bytes_zstd"));
    assert_null(mc_record_get(r, "final.latency_ms"));
    mc_record_destroy(r);

    set(recipe, "measure", "sizes");
    set(recipe, "output.model", "again.onnx");
    set(recipe, "output.report", "[md]");
    assert_ok(run(state, recipe, &r, &err), err);
    assert_int_equal(mc_record_get_int(r, "final.bytes", -1), bytes);
    assert_in_range(mc_record_get_int(r, "final.bytes_zstd", -1), 1, bytes - 1);
    assert_null(mc_record_get(r, "final.latency_ms"));
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_a_gate_that_fails_hands_out_the_record_and_writes_no_model(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune.sparsity", "0.5");
    set(recipe, "gates.max_nonzeros", "10");
    assert_int_equal(run(state, recipe, &r, &err), MC_GATE_FAILED);
    assert_non_null(strstr(err.text, "gate 'max_nonzeros' does not hold"));
    assert_non_null(r);
    assert_false(mc_record_get_bool(r, "gates_held", true));
    assert_null(mc_record_get(r, "self_check"));
    assert_int_equal(scratch_count(state), 2); /* net.onnx, report.json */
    mc_record_destroy(r);

    set(recipe, "output", "{model: small.onnx, always: true}");
    assert_int_equal(run(state, recipe, &r, &err), MC_GATE_FAILED);
    assert_int_equal(scratch_count(state), 3);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

/* What the record has of a gate. */
static const struct mc_record *gate_of(const struct mc_record *r, const char *name)
{
    const struct mc_record *gates = mc_record_get(r, "gates");
    for (size_t i = 0; i < mc_record_size(gates); i++)
        if (strcmp(mc_record_get_text(mc_record_at(gates, i), "gate", ""), name) == 0) return mc_record_at(gates, i);
    return NULL;
}

static void test_memory_of_a_run_is_known_and_a_gate(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r, *info;
    struct mc_model *model;
    struct mc_error err;
    set(recipe, "steps.0.prune", "{method: channel, ratio: 0.5}");
    assert_ok(run(state, recipe, &r, &err), err);
    const int64_t bytes = mc_record_get_int(r, "final.activation_bytes", -1);
    assert_in_range(bytes, 784 * 4, mc_record_get_int(r, "original.activation_bytes", -1));
    mc_record_destroy(r);
    assert_ok(mc_model_load(&model, scratch_path(state, "small.onnx"), &err), err);
    assert_ok(mc_model_info(model, NULL, &info, &err), err);
    assert_int_equal(mc_record_get_int(info, "activation_bytes", 0), bytes);
    mc_record_destroy(info);
    mc_model_destroy(model);

    char bound[32];
    snprintf(bound, sizeof bound, "%lld", (long long)bytes - 1);
    set(recipe, "output", "");
    set(recipe, "gates.max_activation_bytes", bound);
    assert_int_equal(run(state, recipe, &r, &err), MC_GATE_FAILED);
    assert_int_equal(mc_record_get_num(gate_of(r, "max_activation_bytes"), "margin", 0), -1);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_the_ratio_of_times_is_measured_where_a_gate_asks(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune", "{method: channel, ratio: 0.5}");
    set(recipe, "output", "");
    set(recipe, "measure", "counts");
    assert_ok(run(state, recipe, &r, &err), err);
    assert_null(mc_record_get(r, "final.latency_ratio"));
    mc_record_destroy(r);
    set(recipe, "gates.max_latency_ratio", "1e9");
    assert_ok(run(state, recipe, &r, &err), err);
    const double ratio = mc_record_get_num(r, "final.latency_ratio", -1);
    assert_true(ratio > 0 && ratio == mc_record_get_num(gate_of(r, "max_latency_ratio"), "value", -2));
    mc_record_destroy(r);
    set(recipe, "gates.max_latency_ratio", "1e-9");
    assert_int_equal(run(state, recipe, &r, &err), MC_GATE_FAILED);
    mc_record_destroy(r);
    set(recipe, "gates.max_latency_ms", "1e9");
    assert_int_equal(run(state, recipe, &r, &err), MC_ERR_USAGE);
    assert_non_null(strstr(err.text, "gate 'max_latency_ms' needs 'measure: all'"));
    mc_recipe_destroy(recipe);
}

/* --- large blocks from the caller --- */

struct counts {
    int asked, taken, given;
    int fails_at; /* this one is refused; 0: none */
};

static void *take(void *context, size_t bytes, size_t alignment)
{
    struct counts *counts = context;
    if (++counts->asked == counts->fails_at) return NULL;
    counts->taken++;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void give(void *context, void *block)
{
    ((struct counts *)context)->given++;
    free(block);
}

static int infer(const struct mc_model *model, struct counts *counts, struct mc_tensor *x, struct mc_error *err)
{
    const struct mc_memory memory = {take, give, counts};
    struct mc_context context;
    struct mc_tensor *y = NULL;
    mc_context_init(&context);
    context.memory = &memory;
    *err = (struct mc_error){0};
    const int rc = mc_model_run(model, &context, &x, 1, &y, err);
    mc_tensor_destroy(y);
    return rc;
}

static void test_large_blocks_come_from_the_caller_and_go_back(void **state)
{
    static const float pixels[784];
    const struct mc_tensor_contents contents = {MC_TYPE_FLOAT, 4, (const int64_t[]){1, 1, 28, 28}, pixels,
                                                sizeof pixels};
    struct counts counts = {0};
    struct mc_model *model;
    struct mc_tensor *x;
    struct mc_error err = {0};
    assert_ok(mc_model_load(&model, make_model_of(state, "mlp:784-32-10"), &err), err);
    assert_ok(mc_tensor_from(&x, &contents, &err), err);
    assert_ok(infer(model, &counts, x, &err), err);
    assert_true(counts.taken >= 2); /* a matrix, packed, two where ten columns fill a vector, and the plan's */
    assert_int_equal(counts.taken, counts.given);
    for (int n = counts.asked; n > 0; n--) {
        struct counts failing = {.fails_at = n};
        assert_int_equal(infer(model, &failing, x, &err), MC_ERR_SYSTEM);
        assert_non_null(strstr(err.text, "out of memory"));
        assert_int_equal(failing.taken, failing.given);
    }
    mc_tensor_destroy(x);
    mc_model_destroy(model);
}

static void test_training_takes_and_gives_back_as_much(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err = {0};
    struct mc_context context;
    struct counts counts = {0};
    const struct mc_memory memory = {take, give, &counts};
    mc_context_init(&context);
    context.memory = &memory;
    set(recipe, "steps.0.train.epochs", "1");
    set(recipe, "measure", "counts");
    set(recipe, "output", "");
    assert_ok(mc_recipe_run(recipe, &context, *state, false, &r, &err), err);
    mc_record_destroy(r);
    assert_true(counts.taken > 0);
    assert_int_equal(counts.taken, counts.given);
    counts = (struct counts){.fails_at = counts.asked};
    assert_int_equal(mc_recipe_run(recipe, &context, *state, false, &r, &err), MC_ERR_SYSTEM);
    assert_int_equal(counts.taken, counts.given);
    mc_recipe_destroy(recipe);
}

static void test_the_packed_result_is_written_measured_and_gated(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune.sparsity", "0.95");
    set(recipe, "output", "{model: small.onnx, packed: small.packed}");
    set(recipe, "gates", "{max_packed_bytes: 4000, min_packed_compression: 10}");
    assert_ok(run(state, recipe, &r, &err), err);
    const int64_t packed = mc_record_get_int(r, "final.bytes_packed", 0);
    assert_in_range(packed, 100, 4000);
    assert_int_equal(mc_record_get_int(r, "outputs.1.bytes", 0), packed);
    assert_string_equal(mc_record_get_text(r, "outputs.1.kind", ""), "packed");
    const double times = mc_record_get_num(r, "original.bytes", 0) / (double)packed;
    assert_true(fabs(mc_record_get_num(r, "gates.1.value", 0) - times) < 1e-9);
    mc_record_destroy(r);

    /* it is the file beside it, and will do as the model of a recipe */
    struct mc_file_view view;
    assert_ok(mc_unpack_file(scratch_path(state, "small.packed"), scratch_path(state, "again.onnx"), false, NULL, &err),
              err);
    assert_ok(mc_file_open(&view, scratch_path(state, "small.onnx"), SIZE_MAX, &err), err);
    struct mc_file_view again;
    assert_ok(mc_file_open(&again, scratch_path(state, "again.onnx"), SIZE_MAX, &err), err);
    assert_int_equal(view.length, again.length);
    assert_memory_equal(view.data, again.data, view.length);
    mc_file_close(&view);
    mc_file_close(&again);
    assert_ok(mc_recipe_set_text(recipe, "model", scratch_path(state, "small.packed"), NULL, &err), err);
    set(recipe, "output", "{model: other.onnx}");
    set(recipe, "gates", "{max_packed_bytes: 10}");
    assert_int_equal(run(state, recipe, &r, &err), MC_GATE_FAILED);
    assert_non_null(strstr(err.text, "gate 'max_packed_bytes' does not hold: needs at most 10"));
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

/* Weights that one step sets to zero are still zero after another has trained. */
static void test_zeros_survive_later_training(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune.sparsity", "0.8");
    set(recipe, "steps.1.finetune.epochs", "1");
    set(recipe, "steps.2.distill.epochs", "1");
    assert_ok(run(state, recipe, &r, &err), err);
    const int64_t weights = 784 * 12 + 12 * 10, biases = 12 + 10;
    assert_in_range(mc_record_get_int(r, "final.nonzeros", 0), 0, weights / 5 + 1 + biases);
    mc_record_destroy(r);

    set(recipe, "steps.1.finetune.zeros", "free");
    assert_int_equal(mc_recipe_run(recipe, NULL, *state, true, &r, &err), MC_OK);
    assert_true(mc_record_get_int(r, "final.nonzeros", 0) > weights / 2);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_gradual_pruning_ends_at_the_sparsity_that_was_asked_for(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.prune", "{sparsity: 0.75, epochs: 2, batch: 32}");
    assert_ok(run(state, recipe, &r, &err), err);
    assert_true(fabs(mc_record_get_num(r, "steps.0.sparsity", 0) - 0.75) < 1e-4);
    assert_int_equal(mc_record_size(mc_record_get(r, "steps.0.training.epochs")), 2);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static void test_a_student_of_another_architecture_takes_the_place_of_the_model(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    set(recipe, "steps.0.distill", "{student: linear, epochs: 1}");
    assert_ok(run(state, recipe, &r, &err), err);
    assert_int_equal(mc_record_get_int(r, "final.parameters", 0), 784 * 10 + 10);
    mc_record_destroy(r);
    mc_recipe_destroy(recipe);
}

static bool stop(void *context, const struct mc_progress *at)
{
    (void)at;
    int *left = context;
    return --*left > 0;
}

static void test_an_interrupted_run_leaves_nothing(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r = NULL;
    struct mc_error err = {0};
    struct mc_context context;
    int left = 3;
    mc_context_init(&context);
    context.progress = stop;
    context.progress_context = &left;
    set(recipe, "steps.0.finetune.epochs", "50");
    assert_int_equal(mc_recipe_run(recipe, &context, *state, false, &r, &err), MC_INTERRUPTED);
    assert_null(r);
    assert_int_equal(scratch_count(state), 1); /* net.onnx */
    mc_recipe_destroy(recipe);
}

static void test_an_interrupted_run_goes_on_in_its_directory_to_the_same_model(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r = NULL;
    struct mc_error err = {0};
    struct mc_context context;
    mc_context_init(&context);
    set(recipe, "steps.0.prune", "{sparsity: 0.5}");
    set(recipe, "steps.1.finetune.epochs", "10");
    const char *whole = scratch_path(state, "whole"), *cut = scratch_path(state, "cut");
    assert_ok(mc_recipe_run_in(recipe, &context, whole, false, false, &r, &err), err);
    mc_record_destroy(r);
    int left = 8, rounds = 0;
    context.progress = stop;
    context.progress_context = &left;
    while (mc_recipe_run_in(recipe, &context, cut, false, true, &r, &err) == MC_INTERRUPTED) {
        assert_non_null(strstr(err.hint, "--resume goes on"));
        left = 8;
        assert_in_range(++rounds, 1, 30);
    }
    assert_true(rounds > 1);
    assert_int_equal(mc_record_size(mc_record_get(r, "steps")), 2);
    assert_non_null(mc_record_get(r, "steps.0.result.parameters"));
    mc_record_destroy(r);
    struct mc_file_view a, b;
    assert_ok(mc_file_open(&a, scratch_path(state, "whole/small.onnx"), SIZE_MAX, &err), err);
    assert_ok(mc_file_open(&b, scratch_path(state, "cut/small.onnx"), SIZE_MAX, &err), err);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
    mc_file_close(&a);
    mc_file_close(&b);
    mc_recipe_destroy(recipe);
}

/* Everything that a run would find wrong is found; nothing is written; counts are those that the run comes to. */
static void test_a_check_does_nothing_and_knows_the_counts(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *planned = NULL, *r = NULL;
    struct mc_error err = {0};
    set(recipe, "steps.0.prune", "{method: channel, ratio: 0.5, criterion: taylor, reconstruct: true, epochs: 2}");
    set(recipe, "steps.1.distill", "{student: thinned, width: 0.5, epochs: 2}");
    set(recipe, "steps.2.cluster", "{bits: 3, epochs: 1}");
    set(recipe, "steps.3.prune", "{sparsity: 0.8, epochs: 3}");
    const int before = scratch_count(state);
    assert_ok(mc_recipe_check(recipe, NULL, *state, false, true, &planned, &err), err);
    assert_int_equal(scratch_count(state), before);
    assert_true(mc_record_get_num(planned, "expected_s", -1) > 0);
    assert_ok(run(state, recipe, &r, &err), err);
    static const char *const counts[] = {"steps.0.result.parameters", "steps.1.result.macs", "final.macs",
                                         "final.parameters", "final.bytes"};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        assert_int_equal(mc_record_get_int(planned, counts[i], -1), mc_record_get_int(r, counts[i], -2));
    mc_record_destroy(planned);
    mc_record_destroy(r);

    set(recipe, "data", "glyphs,train=200,test=60,validation=0");
    set(recipe, "steps.2.cluster", "{max_drop: 0.1}");
    assert_int_equal(mc_recipe_check(recipe, NULL, scratch_path(state, "other"), false, false, &r, &err), MC_ERR_INPUT);
    assert_non_null(strstr(err.text, "step 3 (cluster): a bound of accuracy needs validation samples"));
    mc_recipe_destroy(recipe);
}

static void test_outputs_that_exist_are_refused_before_any_work(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r;
    struct mc_error err;
    scratch_file(state, "report.json", "mine", 4);
    set(recipe, "steps.0.train.epochs", "1000000");
    assert_int_equal(run(state, recipe, &r, &err), MC_ERR_USAGE);
    assert_string_equal(err.hint, "-f overwrites");
    assert_null(r);
    assert_int_equal(scratch_count(state), 2);
    mc_recipe_destroy(recipe);
}

static void test_one_seed_gives_the_same_record_and_another_a_different_one(void **state)
{
    struct mc_recipe *recipe = make_recipe(state);
    struct mc_record *r[3];
    struct mc_error err;
    static const char *const seeds[] = {"5", "5", "6"};
    set(recipe, "steps.0.train.epochs", "1");
    set(recipe, "output", "");
    for (int i = 0; i < 3; i++) {
        set(recipe, "seed", seeds[i]);
        assert_ok(run(state, recipe, &r[i], &err), err);
    }
    assert_true(mc_record_get_num(r[0], "final.loss", -1) == mc_record_get_num(r[1], "final.loss", -2));
    assert_true(mc_record_get_num(r[0], "final.loss", -1) != mc_record_get_num(r[2], "final.loss", -1));
    for (int i = 0; i < 3; i++) mc_record_destroy(r[i]);
    mc_recipe_destroy(recipe);
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, scratch_setup, scratch_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(test_steps_shrink_the_model_and_the_record_says_by_how_much),
        IN_SCRATCH(test_the_record_has_the_graph_and_how_weights_lie),
        IN_SCRATCH(test_measuring_stops_at_what_was_asked_for),
        IN_SCRATCH(test_a_gate_that_fails_hands_out_the_record_and_writes_no_model),
        IN_SCRATCH(test_memory_of_a_run_is_known_and_a_gate),
        IN_SCRATCH(test_the_ratio_of_times_is_measured_where_a_gate_asks),
        IN_SCRATCH(test_large_blocks_come_from_the_caller_and_go_back),
        IN_SCRATCH(test_training_takes_and_gives_back_as_much),
        IN_SCRATCH(test_the_packed_result_is_written_measured_and_gated),
        IN_SCRATCH(test_zeros_survive_later_training),
        IN_SCRATCH(test_gradual_pruning_ends_at_the_sparsity_that_was_asked_for),
        IN_SCRATCH(test_a_student_of_another_architecture_takes_the_place_of_the_model),
        IN_SCRATCH(test_an_interrupted_run_leaves_nothing),
        IN_SCRATCH(test_an_interrupted_run_goes_on_in_its_directory_to_the_same_model),
        IN_SCRATCH(test_a_check_does_nothing_and_knows_the_counts),
        IN_SCRATCH(test_outputs_that_exist_are_refused_before_any_work),
        IN_SCRATCH(test_one_seed_gives_the_same_record_and_another_a_different_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
