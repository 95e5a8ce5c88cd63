/* test_refusal.c - refused nodes are named together, by kind. */
#include "graph/refusal.h"

#include "alloc_fail.h"
#include "test.h"

static struct mc_node *add(struct mc_model *m, const char *domain, const char *type, const char *name)
{
    struct mc_value *out = mc_value_create_fresh(m->graph, "out");
    return mc_node_create(m->graph, -1, domain, type, name, 0, NULL, 1, &out);
}

static void test_nothing_refused_is_no_error(void **state)
{
    struct mc_error err = {0};
    struct mc_refusal refusal;
    mc_refusal_init(&refusal);
    assert_int_equal(mc_refusal_finish(&refusal, "what", &err), MC_OK);
    assert_string_equal(err.text, "");
}

static void test_nodes_are_named_by_kind(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m;
    struct mc_refusal refusal;
    assert_ok(mc_model_create(&m, 13, &err), err);
    mc_refusal_init(&refusal);
    mc_refusal_add(&refusal, add(m, "", "Foo", "a"), NULL);
    mc_refusal_add(&refusal, add(m, "", "Bar", ""), "for a reason");
    mc_refusal_add(&refusal, add(m, "com.example", "Foo", "other"), NULL);
    for (int i = 0; i < 4; i++) mc_refusal_add(&refusal, add(m, "", "Foo", "b"), NULL);
    assert_int_equal(mc_refusal_finish(&refusal, "what", &err), MC_ERR_UNSUPPORTED);
    assert_string_equal(err.text, "what: 'a', 'b', 'b' and 2 more (Foo of ai.onnx 13), "
                                  "#1 (Bar of ai.onnx 13: for a reason), 'other' (Foo of com.example 0)");
    mc_model_destroy(m);
}

static int attempt(void *context)
{
    struct mc_error err = {0};
    struct mc_refusal refusal;
    mc_refusal_init(&refusal);
    mc_refusal_add(&refusal, context, NULL);
    const int rc = mc_refusal_finish(&refusal, "what", &err);
    return rc == MC_ERR_UNSUPPORTED ? MC_OK : rc;
}

static void test_a_refusal_without_memory_says_so(void **state)
{
    struct mc_error err = {0};
    struct mc_model *m;
    struct mc_refusal refusal;
    assert_ok(mc_model_create(&m, 13, &err), err);
    struct mc_node *node = add(m, "", "Foo", "a");
    mc_refusal_init(&refusal);
    alloc_fail_at(1);
    mc_refusal_add(&refusal, node, NULL);
    alloc_fail_at(0);
    assert_int_equal(mc_refusal_finish(&refusal, "what", &err), MC_ERR_SYSTEM);
    assert_int_equal(attempt(node), MC_OK);
    mc_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_refused_is_no_error),
        cmocka_unit_test(test_nodes_are_named_by_kind),
        cmocka_unit_test(test_a_refusal_without_memory_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
