/* verdict.c - what the curves of a training run say; see verdict.h. */
#include "train/verdict.h"

#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"

static void say(struct mc_record *into, const char *fit, const char *why)
{
    mc_record_set_text(into, "fit", fit);
    mc_record_set_text(into, "why", why);
}

/* The loss that decides: of validation where there is one. */
static double loss_of(const struct mc_epoch_line *line)
{
    return isnan(line->validation_loss) ? line->train_loss : line->validation_loss;
}

static int lowest(const struct mc_epoch_line *lines, int n)
{
    int best = 0;
    for (int i = 1; i < n; i++)
        if (loss_of(&lines[i]) < loss_of(&lines[best])) best = i;
    return best;
}

static void judge(const struct mc_epoch_line *lines, int n, bool alike, struct mc_record *into)
{
    char text[400];
    if (n < 3) {
        say(into, "unknown", "fewer than three epochs say nothing");
        return;
    }
    const struct mc_epoch_line *first = &lines[0], *last = &lines[n - 1], *best = &lines[lowest(lines, n)];
    const struct mc_epoch_line *before = &lines[n - 1 - (n + 4) / 5];
    if (last->validation_loss > 1.05 * best->validation_loss && last->train_loss < best->train_loss) {
        snprintf(
            text, sizeof text,
            "the validation loss was lowest after epoch %d of %d (%.4g) and is %.4g at the end, while the training "
            "loss went on falling from %.4g to %.4g: early stopping, more data, augmentation, l2 or a smaller model "
            "may help",
            (int)best->number + 1, n, best->validation_loss, last->validation_loss, best->train_loss, last->train_loss);
        say(into, "overfitting", text);
    } else if (alike && best->validation_loss > 1.5 * best->train_loss) {
        snprintf(
            text, sizeof text,
            "where it is lowest, after epoch %d of %d, the validation loss is %.4g, the training loss %.4g: more data, "
            "augmentation or l2 may close the gap",
            (int)best->number + 1, n, best->validation_loss, best->train_loss);
        say(into, "gap", text);
    } else if (!(last->train_loss < 0.9 * first->train_loss)) {
        snprintf(
            text, sizeof text,
            "the training loss is %.4g after %d epochs and was %.4g after the first: a larger model, another rate or "
            "less of a penalty may help",
            last->train_loss, n, first->train_loss);
        say(into, "underfitting", text);
    } else if (loss_of(last) < 0.95 * loss_of(before)) {
        snprintf(text, sizeof text,
                 "the loss still fell from %.4g to %.4g in the last %d of %d epochs: more epochs may help",
                 loss_of(before), loss_of(last), (n + 4) / 5, n);
        say(into, "unfinished", text);
    } else if (isnan(last->validation_loss)) {
        say(into, "good", "the training loss has settled; without validation samples nothing can be said of others");
    } else {
        snprintf(text, sizeof text, "the validation loss has settled at %.4g, the training loss at %.4g",
                 last->validation_loss, last->train_loss);
        say(into, "good", text);
    }
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* NaN without epochs or memory. */
static double median_seconds(const struct mc_epoch_line *lines, int n)
{
    double *seconds = n > 0 ? MC_NEW_ARRAY(double, n) : NULL;
    if (!seconds) return NAN;
    for (int i = 0; i < n; i++) seconds[i] = lines[i].seconds;
    qsort(seconds, (size_t)n, sizeof *seconds, by_size);
    const double median = seconds[n / 2];
    mc_free(seconds);
    return median;
}

void mc_verdict(const struct mc_epoch_line *lines, int n, bool alike, int64_t n_samples, int64_t n_parameters,
                struct mc_record *into)
{
    const double seconds = median_seconds(lines, n);
    judge(lines, n, alike, into);
    mc_record_set_int(into, "parameters", n_parameters);
    mc_record_set_num(into, "parameters_per_sample", (double)n_parameters / (double)n_samples);
    if (!(seconds > 0)) return;
    mc_record_set_num(into, "samples_per_s", (double)n_samples / seconds);
    mc_record_set_num(into, "epoch_s", seconds);
}
