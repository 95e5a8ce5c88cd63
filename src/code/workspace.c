/* workspace.c - memory kept from segment to segment; see workspace.h. */
#include "code/workspace.h"

#include "base/alloc.h"

void *mc_workspace_room(struct mc_workspace *workspace, enum mc_room room, size_t bytes)
{
    if (bytes > workspace->capacity[room] || !workspace->room[room]) {
        mc_free(workspace->room[room]);
        workspace->room[room] = mc_alloc_aligned(bytes, 1);
        workspace->capacity[room] = workspace->room[room] ? bytes : 0;
    }
    return workspace->room[room];
}

void mc_workspace_finish(struct mc_workspace *workspace)
{
    for (int i = 0; i < MC_ROOMS; i++) mc_free(workspace->room[i]);
    *workspace = (struct mc_workspace){0};
}
