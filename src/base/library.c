/* library.c - libraries opened as they are wanted; see library.h. */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

int mc_library_open(const char *soname, bool global, const struct mc_library_symbol *symbols, size_t n,
                    struct mc_error *err)
{
    void *const library = dlopen(soname, RTLD_NOW | (global ? RTLD_GLOBAL : RTLD_LOCAL));
    if (!library) return mc_error_set(err, MC_ERR_SYSTEM, "'%s' cannot be opened: %s", soname, dlerror());
    for (size_t i = 0; i < n; i++) {
        void *const symbol = dlsym(library, symbols[i].name);
        if (!symbol) return mc_error_set(err, MC_ERR_SYSTEM, "'%s' has no '%s'", soname, symbols[i].name);
        /* ISO C has no way from a pointer to an object to one to a function; POSIX says that their bits are the same.
         */
        memcpy(symbols[i].place, &symbol, sizeof symbol);
    }
    return MC_OK;
}
