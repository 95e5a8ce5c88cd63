/* help.h - help and the manual, from the tables of verbs and options. */
#ifndef MC_TOOLS_HELP_H
#define MC_TOOLS_HELP_H

#include "arguments.h"

int help_print_verb(const struct verb *verb, struct mc_error *err);

#endif
