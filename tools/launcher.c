/* launcher.c - the processes that mpirun or srun has started; see launcher.h. */
#include "launcher.h"

#include <stdlib.h>

/* MPI is one for the process, and so are these. */
static struct mc_peers *peers;

bool launcher_share(struct mc_share *share)
{
    static const char *const names[][2] = {
        {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}, {"SLURM_PROCID", "SLURM_NTASKS"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *rank = getenv(names[i][0]), *size = getenv(names[i][1]);
        if (!rank || !size || atoi(size) < 2) continue;
        *share = (struct mc_share){atoi(rank), atoi(size)};
        return share->share >= 0 && share->share < share->shares;
    }
    return false;
}

bool launcher_leads(void)
{
    struct mc_share share;
    return !launcher_share(&share) || share.share == 0;
}

int launcher_join(struct mc_error *err)
{
    struct mc_share share;
    return launcher_share(&share) ? mc_peers_open_mpi(&peers, err) : MC_OK;
}

void launcher_leave(int rc)
{
    if (rc == MC_OK || (peers && peers->broken)) mc_peers_close(peers);
    peers = NULL;
}

struct mc_peers *launcher_peers(void)
{
    return peers;
}
