/* onednn_library.c - opens oneDNN; see onednn_library.h. */
#include "kernel/onednn_library.h"

#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/library.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* What the header belongs to: libraries of one major version are compatible. */
#define SONAME "libdnnl.so." TEXT(DNNL_VERSION_MAJOR)

/* Written once, by `open_library`, before anybody reads it. */
static struct mc_onednn_library library;
static bool is_open;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_library(void)
{
#define SYMBOL(name) {"dnnl_" #name, &library.name},
    static const struct mc_library_symbol symbols[] = {MC_ONEDNN_FUNCTIONS(SYMBOL)};
#undef SYMBOL
    is_open = mc_library_open(SONAME, false, symbols, MC_COUNT(symbols), NULL) == MC_OK;
}

const struct mc_onednn_library *mc_onednn_library(void)
{
    pthread_once(&once, open_library);
    return is_open ? &library : NULL;
}
