/* test_relation.c - attention and relations of features against PyTorch 2.15.0 (tests/reference/train_numbers.py). */
#include "train/relation.h"

#include <math.h>

#include "test.h"

enum { N = 4, WORK = 200 };

/* Gradients are added to what stands there. */
static void check(double value, double wanted, const float *ds, const float *gradient, int n)
{
    if (!(fabs(value - wanted) < 1e-6)) fail_msg("%.12g is not %.12g", value, wanted);
    for (int i = 0; i < n; i++)
        if (!(fabsf(ds[i] - 1 - gradient[i]) < 1e-5F)) fail_msg("gradient %d: %g is not %g", i, ds[i] - 1, gradient[i]);
}

static void test_attention_agrees_with_pytorch(void **state)
{
    static const float gradient[] = {-0.1030404819F, 0.0824019406F,  -0.0020410288F, 0.0926725879F,  -0.0868992024F,
                                     0.0040412063F,  -0.0699587487F, 0.0269993401F,  0.0211353929F,  0.0579296994F,
                                     -0.0272894837F, -0.0275180072F, -0.0218250526F, -0.0202168545F, 0.0345065077F,
                                     0.0149547787F,  0.0196207237F,  -0.0398499643F, -0.0010784808F, -0.0157156383F,
                                     0.0147710935F,  0.0000636919F,  0.0145670223F,  -0.0159879191F};
    float s[24], t[36], ds[24];
    double work[WORK];
    for (int i = 0; i < 24; i++) s[i] = (float)(2 * sin(i + 1)), ds[i] = 1;
    for (int i = 0; i < 36; i++) t[i] = (float)(2 * cos(i));
    assert_true(mc_attention_work(3) <= WORK);
    check(mc_attention_loss(N, 3, 2, s, 3, t, 1, ds, work), 0.165366067634, ds, gradient, 24);
    for (int i = 0; i < 6; i++) s[i] = 0; /* no map at all */
    assert_true(isfinite(mc_attention_loss(N, 3, 2, s, 3, t, 1, ds, work)) && isfinite(ds[0]));
}

static void points(float s[12], float t[8], float ds[12])
{
    for (int i = 0; i < 12; i++) s[i] = (float)(3 * sin(2 * i + 1)), ds[i] = 1;
    for (int i = 0; i < 8; i++) t[i] = (float)(3 * cos(i * i));
}

static void test_distances_agree_with_pytorch(void **state)
{
    static const float gradient[] = {-0.0578339880F, 0.1460841020F,  -0.0637508858F, 0.0352844502F,
                                     -0.1058495767F, 0.0528134828F,  0.1614469655F,  -0.1931112917F,
                                     -0.0007216593F, -0.1388974278F, 0.1528767665F,  0.0116590623F};
    float s[12], t[8], ds[12];
    double work[WORK];
    points(s, t, ds);
    assert_true(mc_relation_work(N) <= WORK);
    check(mc_distance_loss(N, 3, s, 2, t, 1, ds, work), 0.554257316868, ds, gradient, 12);
}

static void test_angles_agree_with_pytorch(void **state)
{
    static const float gradient[] = {0.0778015578F,  0.0466794488F, -0.1166525677F, -0.0692651369F,
                                     -0.0490669041F, 0.1101032108F, -0.0312900662F, -0.0972200822F,
                                     0.1122057255F,  0.0227536454F, 0.0996075375F,  -0.1056563686F};
    float s[12], t[8], ds[12];
    double work[WORK];
    points(s, t, ds);
    check(mc_angle_loss(N, 3, s, 2, t, 1, ds, work), 1.001391028022, ds, gradient, 12);
}

/* Points that are one have no direction; the same points have nothing to learn. */
static void test_points_that_meet_are_no_trouble(void **state)
{
    float s[12] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}, ds[12] = {0};
    double work[WORK];
    assert_true(mc_distance_loss(N, 3, s, 3, s, 1, ds, work) == 0 && mc_angle_loss(N, 3, s, 3, s, 1, ds, work) == 0);
    assert_true(mc_distance_loss(1, 3, s, 3, s, 1, ds, work) == 0 && mc_angle_loss(1, 3, s, 3, s, 1, ds, work) == 0);
    for (int i = 0; i < 12; i++) assert_true(ds[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention_agrees_with_pytorch),
        cmocka_unit_test(test_distances_agree_with_pytorch),
        cmocka_unit_test(test_angles_agree_with_pytorch),
        cmocka_unit_test(test_points_that_meet_are_no_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
