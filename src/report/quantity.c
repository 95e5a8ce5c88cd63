/* quantity.c - figures as people read them; see quantity.h. */
#include "report/quantity.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

const struct mc_quantity mc_quantities[] = {
    {"parameters", "parameters", MC_AS_COUNT},
    {"nonzeros", "non-zeros", MC_AS_COUNT},
    {"macs", "MACs", MC_AS_COUNT},
    {"data_files", "data files", MC_AS_COUNT},
    {"bytes", "bytes", MC_AS_COUNT},
    {"bytes_sparse", "bytes, sparse", MC_AS_COUNT},
    {"bytes_zstd", "bytes, zstd", MC_AS_COUNT},
    {"bytes_zstd_19", "bytes, zstd -19", MC_AS_COUNT},
    {"bytes_packed", "bytes, packed", MC_AS_COUNT},
    {"activation_bytes", "activations, bytes", MC_AS_COUNT},
    {"samples", "samples", MC_AS_COUNT},
    {"accuracy", "accuracy", MC_AS_SHARE},
    {"accuracy_low", "95 % from", MC_AS_SHARE},
    {"accuracy_high", "95 % to", MC_AS_SHARE},
    {"top5", "top-5 accuracy", MC_AS_SHARE},
    {"precision", "precision", MC_AS_SHARE},
    {"recall", "recall", MC_AS_SHARE},
    {"f1", "F1", MC_AS_SHARE},
    {"auc", "AUC", MC_AS_REAL},
    {"loss", "loss", MC_AS_REAL},
    {"mse", "MSE", MC_AS_REAL},
    {"rmse", "RMSE", MC_AS_REAL},
    {"mae", "MAE", MC_AS_REAL},
    {"r2", "R2", MC_AS_REAL},
    {"latency_ms", "latency, ms", MC_AS_TIME},
};
const size_t mc_quantities_count = MC_COUNT(mc_quantities);

const char *mc_count_text(int64_t n, char out[MC_QUANTITY_TEXT])
{
    char digits[MC_QUANTITY_TEXT];
    snprintf(digits, sizeof digits, "%lld", (long long)n);
    char *to = out;
    const char *from = digits;
    if (*from == '-') *to++ = *from++;
    for (size_t left = strlen(from); left > 0; left--) {
        *to++ = *from++;
        if (left > 1 && left % 3 == 1) *to++ = ',';
    }
    *to = '\0';
    return out;
}

const char *mc_reading_text(enum mc_reading reading, double value, char out[MC_QUANTITY_TEXT])
{
    *out = '\0';
    if (isnan(value)) return out;
    if (reading == MC_AS_COUNT && fabs(value) >= 9e18) reading = MC_AS_NUMBER; /* no count, and no int64_t */
    switch (reading) {
    case MC_AS_COUNT:
        return mc_count_text((int64_t)value, out);
    case MC_AS_SHARE:
        snprintf(out, MC_QUANTITY_TEXT, "%.2f %%", 100 * value);
        break;
    case MC_AS_REAL:
        snprintf(out, MC_QUANTITY_TEXT, "%.4f", value);
        break;
    case MC_AS_FINE:
        snprintf(out, MC_QUANTITY_TEXT, "%.4g", value);
        break;
    case MC_AS_POINTS:
        snprintf(out, MC_QUANTITY_TEXT, "%+.2f", 100 * value);
        break;
    case MC_AS_NUMBER:
        snprintf(out, MC_QUANTITY_TEXT, "%.6g", value);
        break;
    case MC_AS_TIME:
        snprintf(out, MC_QUANTITY_TEXT, "%.3f", value);
        break;
    }
    return out;
}

const char *mc_quantity_text(const struct mc_quantity *quantity, const struct mc_record *of, char out[MC_QUANTITY_TEXT])
{
    return mc_reading_text(quantity->reading, mc_record_get_num(of, quantity->key, NAN), out);
}

const char *mc_quantity_change(const struct mc_quantity *quantity, const struct mc_record *first,
                               const struct mc_record *last, char out[MC_QUANTITY_TEXT])
{
    const double a = mc_record_get_num(first, quantity->key, NAN), b = mc_record_get_num(last, quantity->key, NAN);
    *out = '\0';
    if (isnan(a) || isnan(b)) return out;
    if (quantity->reading == MC_AS_SHARE)
        snprintf(out, MC_QUANTITY_TEXT, "%+.2f points", 100 * (b - a));
    else if (quantity->reading == MC_AS_REAL)
        snprintf(out, MC_QUANTITY_TEXT, "%+.4f", b - a);
    else if (a > 0 && b > 0 && (a > 1.005 * b || b > 1.005 * a)) /* not "1.00 times" */
        snprintf(out, MC_QUANTITY_TEXT, "%.2f times %s", a > b ? a / b : b / a, a > b ? "less" : "more");
    return out;
}
