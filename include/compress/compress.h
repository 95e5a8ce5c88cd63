/* compress.h - the public interface of libcompress.
 *
 * Everything a program needs to load an ONNX model, measure it, make it smaller and write it back.
 * The `compress` command is written against this header alone.
 *
 * Conventions
 *   - A function that can fail returns 0 or a negative `enum mc_status`, and takes `struct mc_error *`
 *     last. The error is untouched on success; it may be NULL if the text is not wanted.
 *   - What `create`, `load` or `open` hands out through a pointer belongs to the caller, who gives it
 *     to the matching `destroy`. `destroy` accepts NULL. On failure nothing is handed out.
 *   - What a getter returns is lent: it lives as long as the object it came from.
 *   - The library never prints, never exits, and keeps no global mutable state. Objects may be used
 *     from any thread, one thread at a time.
 */
#ifndef COMPRESS_COMPRESS_H
#define COMPRESS_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MC_VERSION "0.1.0"

#if defined(__GNUC__)
#define MC_API __attribute__((visibility("default")))
#define MC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MC_API
#define MC_PRINTF(fmt, args)
#endif

/* --- errors ------------------------------------------------------------------------------------ */

/* Result of a call. The negated value is the exit status the command gives for it. */
enum mc_status {
    MC_OK = 0,
    MC_ERR_USAGE = -2,       /* an option, a recipe or a call asks for something that cannot be */
    MC_ERR_UNSUPPORTED = -3, /* the model needs an operator, attribute or type that is missing here */
    MC_ERR_INPUT = -4,       /* a file is broken or does not fit */
    MC_ERR_SYSTEM = -5,      /* input/output or memory */
    MC_ERR_INTERNAL = -6,    /* a self-check failed: a defect of this library */
    MC_INTERRUPTED = -130,   /* the progress callback asked to stop */
};

/* What went wrong, outermost place first: "cannot load 'net.onnx': node 'conv2' (Conv): …".
 * Owned by the caller, no destructor; initialise with `struct mc_error err = {0}`. */
struct mc_error {
    int status;
    char text[1024]; /* one line, lower case, no full stop */
    char hint[256];  /* how to mend it, or "" */
};

/* Short name of a status: "ok", "usage", "unsupported", "input", "system", "internal". */
MC_API const char *mc_status_name(int status);

#ifdef __cplusplus
}
#endif
#endif
