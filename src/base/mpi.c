/* mpi.c - processes that mpirun has started, by Open MPI; see mc_peers_open_mpi in compress.h.
 *
 * Open MPI takes a hundred times as long to load as the rest of the program. So this is built against its header but
 * not linked to it: the library is opened where processes are to work together.
 */
#include "base/alloc.h"
#include "base/error.h"
#include "config.h"

#if MC_HAVE_MPI

#include <mpi.h>

#include "base/library.h"

#define SONAME "libmpi.so.40" /* of Open MPI 2 to 5 */

/* A message counts its elements by int. */
static const size_t most_elements = (size_t)1 << 28;

struct mpi {
    struct mc_peers peers; /* first: what the caller has is this */
    __typeof__(&MPI_Initialized) initialized;
    __typeof__(&MPI_Init_thread) init_thread;
    __typeof__(&MPI_Finalize) finalize;
    __typeof__(&MPI_Comm_rank) comm_rank;
    __typeof__(&MPI_Comm_size) comm_size;
    __typeof__(&MPI_Allreduce) allreduce;
    __typeof__(&MPI_Bcast) bcast;
    MPI_Comm world;
    MPI_Datatype float32, float64, byte;
    MPI_Op sum;
    bool ours; /* it was initialized here, and is to be finalized */
};

static int open_library(struct mpi *mpi, struct mc_error *err)
{
    const struct mc_library_symbol symbols[] = {
        {"MPI_Initialized", &mpi->initialized},
        {"MPI_Init_thread", &mpi->init_thread},
        {"MPI_Finalize", &mpi->finalize},
        {"MPI_Comm_rank", &mpi->comm_rank},
        {"MPI_Comm_size", &mpi->comm_size},
        {"MPI_Allreduce", &mpi->allreduce},
        {"MPI_Bcast", &mpi->bcast},
        /* what MPI_COMM_WORLD and the like point to: no other MPI has them */
        {"ompi_mpi_comm_world", &mpi->world},
        {"ompi_mpi_float", &mpi->float32},
        {"ompi_mpi_double", &mpi->float64},
        {"ompi_mpi_byte", &mpi->byte},
        {"ompi_mpi_op_sum", &mpi->sum},
    };
    /* global: its plug-ins look for it there */
    const int rc = mc_library_open(SONAME, true, symbols, MC_COUNT(symbols), err);
    return rc < 0 ? mc_error_wrap(err, rc, "Open MPI") : rc;
}

static int sum(const struct mpi *mpi, void *values, size_t n, MPI_Datatype type, size_t size)
{
    for (size_t begin = 0; begin < n; begin += most_elements) {
        const size_t now = n - begin < most_elements ? n - begin : most_elements;
        if (mpi->allreduce(MPI_IN_PLACE, (char *)values + begin * size, (int)now, type, mpi->sum, mpi->world) !=
            MPI_SUCCESS)
            return MC_ERR_SYSTEM;
    }
    return MC_OK;
}

static int sum_floats(void *context, float *values, size_t n)
{
    const struct mpi *mpi = context;
    return sum(mpi, values, n, mpi->float32, sizeof *values);
}

static int sum_doubles(void *context, double *values, size_t n)
{
    const struct mpi *mpi = context;
    return sum(mpi, values, n, mpi->float64, sizeof *values);
}

static int send_bytes(void *context, int from, void *bytes, size_t length)
{
    const struct mpi *mpi = context;
    for (size_t begin = 0; begin < length; begin += most_elements) {
        const size_t now = length - begin < most_elements ? length - begin : most_elements;
        if (mpi->bcast((char *)bytes + begin, (int)now, mpi->byte, from, mpi->world) != MPI_SUCCESS)
            return MC_ERR_SYSTEM;
    }
    return MC_OK;
}

static int join(struct mpi *mpi, struct mc_error *err)
{
    int already = 0, given;
    if (mpi->initialized(&already) != MPI_SUCCESS ||
        (!already && mpi->init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &given) != MPI_SUCCESS))
        return mc_error_set(err, MC_ERR_SYSTEM, "Open MPI cannot be initialized");
    mpi->ours = !already;
    mpi->peers =
        (struct mc_peers){.sum_floats = sum_floats, .sum_doubles = sum_doubles, .send = send_bytes, .context = mpi};
    if (mpi->comm_rank(mpi->world, &mpi->peers.rank) != MPI_SUCCESS ||
        mpi->comm_size(mpi->world, &mpi->peers.size) != MPI_SUCCESS)
        return mc_error_set(err, MC_ERR_SYSTEM, "Open MPI does not say which process this is");
    return MC_OK;
}

int mc_peers_open_mpi(struct mc_peers **peers, struct mc_error *err)
{
    struct mpi *mpi = MC_NEW(struct mpi);
    if (!mpi) return mc_error_memory(err);
    int rc = open_library(mpi, err);
    if (rc == MC_OK) rc = join(mpi, err);
    if (rc < 0)
        mc_peers_close(&mpi->peers);
    else
        *peers = &mpi->peers;
    return rc;
}

void mc_peers_close(struct mc_peers *peers)
{
    struct mpi *mpi = (struct mpi *)(void *)peers;
    if (!mpi) return;
    if (mpi->ours) mpi->finalize();
    mc_free(mpi); /* the library stays: it has threads and handlers of its own */
}

#else

int mc_peers_open_mpi(struct mc_peers **peers, struct mc_error *err)
{
    (void)peers;
    mc_error_set(err, MC_ERR_USAGE, "several processes cannot work together: this program was built without MPI");
    mc_error_hint(err, "meson setup -Dmpi=enabled");
    return MC_ERR_USAGE;
}

void mc_peers_close(struct mc_peers *peers)
{
    (void)peers;
}

#endif
