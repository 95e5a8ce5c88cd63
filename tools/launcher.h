/* launcher.h - whether mpirun or srun has started this process as one of several, and the others. */
#ifndef MC_TOOLS_LAUNCHER_H
#define MC_TOOLS_LAUNCHER_H

#include "compress/compress.h"

/* Which of how many this process is, as the launcher has told it; false: it is the only one. */
bool launcher_share(struct mc_share *share);
/* Is this the process that prints? One in all, whoever launched it. */
bool launcher_leads(void);

/* Meet the others, if there are any: from here on contexts have them. */
int launcher_join(struct mc_error *err);
/* After a failure that the others do not know of this leaves without a word to them: they would wait for it, and the
 * launcher, which sees a process end like that, ends them. */
void launcher_leave(int rc);
/* NULL: nobody was met. */
struct mc_peers *launcher_peers(void);

#endif
