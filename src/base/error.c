/* error.c - filling and extending errors; see error.h. */
#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *mc_version(void)
{
    return MC_VERSION;
}

const char *mc_status_name(int status)
{
    switch (status) {
    case MC_OK:
        return "ok";
    case MC_GATE_FAILED:
        return "gate";
    case MC_ERR_USAGE:
        return "usage";
    case MC_ERR_UNSUPPORTED:
        return "unsupported";
    case MC_ERR_INPUT:
        return "input";
    case MC_ERR_SYSTEM:
        return "system";
    case MC_ERR_INTERNAL:
        return "internal";
    case MC_INTERRUPTED:
        return "interrupted";
    }
    return "unknown";
}

int mc_error_set(struct mc_error *err, int status, const char *fmt, ...)
{
    assert(status < 0);
    if (!err) return status;
    err->status = status;
    err->hint[0] = '\0';
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    return status;
}

int mc_error_wrap(struct mc_error *err, int status, const char *fmt, ...)
{
    assert(status < 0);
    if (!err) return status;
    char link[sizeof err->text / 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(link, sizeof link, fmt, args);
    va_end(args);
    /* The innermost words say what is wrong: when both do not fit, the text loses its head, not its tail. */
    const size_t link_length = strlen(link), length = strlen(err->text);
    const size_t room = sizeof err->text - link_length - sizeof ": ";
    const size_t kept = length > room ? room : length;
    memmove(err->text + link_length + 2, err->text + length - kept, kept + 1);
    memcpy(err->text, link, link_length);
    memcpy(err->text + link_length, ": ", 2);
    err->status = status;
    return status;
}

void mc_error_hint(struct mc_error *err, const char *fmt, ...)
{
    if (!err) return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

int mc_error_memory(struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_SYSTEM, "out of memory");
}

static int set_errno(struct mc_error *err, int status, int saved_errno, const char *action, const char *path)
{
    char text[256] = "";
    if (strerror_r(saved_errno, text, sizeof text) != 0) snprintf(text, sizeof text, "error %d", saved_errno);
    return mc_error_set(err, status, "cannot %s '%s': %s", action, path, text);
}

int mc_error_reading(struct mc_error *err, int saved_errno, const char *action, const char *path)
{
    const bool absent = saved_errno == ENOENT || saved_errno == ENOTDIR || saved_errno == EISDIR;
    return set_errno(err, absent ? MC_ERR_INPUT : MC_ERR_SYSTEM, saved_errno, action, path);
}

int mc_error_writing(struct mc_error *err, int saved_errno, const char *action, const char *path)
{
    return set_errno(err, MC_ERR_SYSTEM, saved_errno, action, path);
}
