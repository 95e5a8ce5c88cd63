/* completion.h - what shells complete of the command, from the tables of verbs and options. */
#ifndef MC_TOOLS_COMPLETION_H
#define MC_TOOLS_COMPLETION_H

/* `shell`: "bash", "zsh" or "fish". To stdout. */
void completion_print(const char *shell);

#endif
