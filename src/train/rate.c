/* rate.c - the learning rate over time; see rate.h. */
#include "train/rate.h"

#include <math.h>

double mc_rate_usual(enum mc_optimizer_kind optimizer)
{
    switch (optimizer) {
    case MC_SGD:
        return 0.1;
    case MC_MOMENTUM:
        return 0.05;
    case MC_RMSPROP:
    case MC_ADAM:
        break;
    }
    return 0.001;
}

double mc_rate_at(const struct mc_fit_options *options, int64_t epoch, double progress)
{
    switch (options->rate_kind) {
    case MC_RATE_EXPONENTIAL:
        return options->rate * pow(options->rate_gamma, (double)epoch);
    case MC_RATE_LINEAR:
        return options->rate * (1 - progress);
    case MC_RATE_CONSTANT:
        break;
    }
    return options->rate;
}
