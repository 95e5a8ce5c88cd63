/* test_layered.c - boxes of a graph find places that do not overlap, and ways that go down. */
#include "test.h"

#include <math.h>

#include "report/layered.h"

/* Place a drawing of boxes 10 wide and 4 high, 2 apart, 6 between ranks. */
static void place(struct mc_layered *d, struct mc_arena *arena, int n_boxes, struct mc_layered_edge *edges, int n_edges)
{
    struct mc_error err = {0};
    mc_arena_init(arena);
    *d = (struct mc_layered){.box_width = 10,
                             .box_height = 4,
                             .gap = 2,
                             .rank_gap = 6,
                             .n_boxes = n_boxes,
                             .n_edges = n_edges,
                             .edges = edges};
    assert_ok(mc_layered_place(d, arena, &err), err);
}

static void test_a_chain_stands_in_one_column(void **state)
{
    struct mc_layered_edge edges[] = {{.from = 0, .to = 1}, {.from = 1, .to = 2}};
    struct mc_layered d;
    struct mc_arena arena;
    place(&d, &arena, 3, edges, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(fabs(d.x[i] - 5) < 1e-9);
        assert_true(fabs(d.y[i] - (2 + 10 * i)) < 1e-9);
    }
    assert_true(fabs(d.width - 10) < 1e-9 && fabs(d.height - 24) < 1e-9);
    mc_arena_finish(&arena);
}

static void test_boxes_of_a_rank_do_not_overlap_and_ways_go_down(void **state)
{
    /* 0 feeds 1 to 4, which all feed 5; 0 is added to that again in 6, past two ranks */
    struct mc_layered_edge edges[] = {
        {.from = 0, .to = 1}, {.from = 0, .to = 2}, {.from = 0, .to = 3}, {.from = 0, .to = 4}, {.from = 1, .to = 5},
        {.from = 2, .to = 5}, {.from = 3, .to = 5}, {.from = 4, .to = 5}, {.from = 0, .to = 6}, {.from = 5, .to = 6}};
    struct mc_layered d;
    struct mc_arena arena;
    place(&d, &arena, 7, edges, 10);
    for (int i = 0; i < 7; i++)
        for (int k = 0; k < i; k++) assert_true(fabs(d.y[i] - d.y[k]) > 9 || fabs(d.x[i] - d.x[k]) >= 12 - 1e-9);
    for (int e = 0; e < d.n_edges; e++) {
        const struct mc_layered_edge *edge = &d.edges[e];
        assert_true(fabs(edge->x[0] - d.x[edge->from]) < 1e-9 && fabs(edge->x[edge->n - 1] - d.x[edge->to]) < 1e-9);
        for (int i = 1; i < edge->n; i++) assert_true(edge->y[i] > edge->y[i - 1]);
    }
    assert_int_equal(edges[8].n, 6);
    mc_arena_finish(&arena);
}

/* Where the order of one rank crosses, the sweeps undo it: 0 and 1 feed 3 and 2. */
static void test_orders_follow_what_is_read(void **state)
{
    struct mc_layered_edge edges[] = {{.from = 1, .to = 2}, {.from = 0, .to = 3}};
    struct mc_layered d;
    struct mc_arena arena;
    place(&d, &arena, 4, edges, 2);
    assert_true((d.x[0] < d.x[1]) == (d.x[3] < d.x[2]));
    mc_arena_finish(&arena);
}

static void test_what_reads_nothing_stands_above_its_reader(void **state)
{
    struct mc_layered_edge edges[] = {{.from = 0, .to = 1}, {.from = 1, .to = 3}, {.from = 2, .to = 3}};
    struct mc_layered d;
    struct mc_arena arena;
    place(&d, &arena, 4, edges, 3);
    assert_true(fabs(d.y[2] - d.y[1]) < 1e-9);
    mc_arena_finish(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chain_stands_in_one_column),
        cmocka_unit_test(test_boxes_of_a_rank_do_not_overlap_and_ways_go_down),
        cmocka_unit_test(test_orders_follow_what_is_read),
        cmocka_unit_test(test_what_reads_nothing_stands_above_its_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
