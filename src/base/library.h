/* library.h - shared libraries that are opened when they are wanted, not linked: until then they cost nothing, and need
 * not be there. */
#ifndef MC_BASE_LIBRARY_H
#define MC_BASE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

struct mc_error;

/* A function or an object of a library, and the pointer of its type that is to point to it. */
struct mc_library_symbol {
    const char *name;
    void *place;
};

/* Opens the library of this soname for good and sets the pointers. `global`: what it opens itself finds its symbols.
 * MC_ERR_SYSTEM if it is not there or lacks one of them. */
int mc_library_open(const char *soname, bool global, const struct mc_library_symbol *symbols, size_t n,
                    struct mc_error *err);

#endif
