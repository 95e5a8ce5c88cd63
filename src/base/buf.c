/* buf.c - growing bytes with a ceiling; see buf.h. */
#include "base/buf.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"

void mc_buf_init(struct mc_buf *buf, size_t ceiling)
{
    *buf = (struct mc_buf){.ceiling = ceiling};
}

void mc_buf_finish(struct mc_buf *buf)
{
    mc_free(buf->data);
    *buf = (struct mc_buf){.ceiling = buf->ceiling};
}

/* Room for `more` bytes and the final 0. */
static bool reserve(struct mc_buf *buf, size_t more)
{
    if (buf->failed || more > buf->ceiling - buf->length) {
        buf->failed = true;
        return false;
    }
    const size_t needed = buf->length + more + 1;
    if (needed <= buf->capacity) return true;
    size_t capacity = buf->capacity > SIZE_MAX / 2 ? needed : buf->capacity * 2;
    if (capacity < needed) capacity = needed < 64 ? 64 : needed;
    char *grown = mc_realloc(buf->data, capacity, 1);
    if (!grown) {
        buf->failed = true;
        return false;
    }
    buf->data = grown;
    buf->capacity = capacity;
    return true;
}

void mc_buf_append(struct mc_buf *buf, const void *bytes, size_t length)
{
    if (!reserve(buf, length)) return;
    if (length) memcpy(buf->data + buf->length, bytes, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void mc_buf_puts(struct mc_buf *buf, const char *s)
{
    mc_buf_append(buf, s, strlen(s));
}

void mc_buf_printf(struct mc_buf *buf, const char *fmt, ...)
{
    va_list measure, print;
    va_start(measure, fmt);
    va_copy(print, measure);
    const int length = vsnprintf(NULL, 0, fmt, measure);
    va_end(measure);
    if (length < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)length)) {
        vsnprintf(buf->data + buf->length, (size_t)length + 1, fmt, print);
        buf->length += (size_t)length;
    }
    va_end(print);
}
