/* workspace.h - memory that coding a segment needs, kept for the next one: fresh pages cost more than the work. */
#ifndef MC_CODE_WORKSPACE_H
#define MC_CODE_WORKSPACE_H

#include <stddef.h>

enum mc_room { MC_ROOM_SYMBOLS, MC_ROOM_MASK, MC_ROOM_VALUES, MC_ROOM_COUNTS, MC_ROOMS };

struct mc_workspace {
    void *room[MC_ROOMS];
    size_t capacity[MC_ROOMS];
};

/* At least so many bytes, whose contents are whatever they are; valid until the same room is asked for again. NULL
 * without memory. A zeroed workspace is an empty one. */
void *mc_workspace_room(struct mc_workspace *workspace, enum mc_room room, size_t bytes);
void mc_workspace_finish(struct mc_workspace *workspace);

#endif
