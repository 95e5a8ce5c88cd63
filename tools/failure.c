/* failure.c - errors that the command itself finds; see failure.h. */
#include "failure.h"

#include <stdarg.h>
#include <string.h>

int fail(struct mc_error *err, int status, const char *fmt, ...)
{
    *err = (struct mc_error){.status = status};
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return status;
}

int fail_usage(struct mc_error *err, const char *verb, const char *fmt, ...)
{
    *err = (struct mc_error){.status = MC_ERR_USAGE};
    const int length = snprintf(err->text, sizeof err->text, "%s: ", verb);
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text + length, sizeof err->text - (size_t)length, fmt, args);
    va_end(args);
    snprintf(err->hint, sizeof err->hint, "compress help %s", verb);
    return MC_ERR_USAGE;
}
