/* onednn_library.c - opens oneDNN; see onednn_library.h. */
#include "kernel/onednn_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* What the header belongs to: libraries of one major version are compatible. */
#define SONAME "libdnnl.so." TEXT(DNNL_VERSION_MAJOR)

/* Written once, by `open_library`, before anybody reads it. */
static struct mc_onednn_library library;
static bool is_open;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no way from the pointer that dlsym returns to one to a function; POSIX says that their bits are the same.
 */
static bool find(void *handle, const char *name, void *function)
{
    void *const symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

static void open_library(void)
{
    void *handle = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
    if (!handle) return;
    is_open = true;
#define FIND(name) is_open = find(handle, "dnnl_" #name, &library.name) && is_open;
    MC_ONEDNN_FUNCTIONS(FIND)
#undef FIND
}

const struct mc_onednn_library *mc_onednn_library(void)
{
    pthread_once(&once, open_library);
    return is_open ? &library : NULL;
}
