/* schema.h - what a recipe may say, as a JSON Schema for editors. */
#ifndef MC_TOOLS_SCHEMA_H
#define MC_TOOLS_SCHEMA_H

/* To stdout; JSON Schema, draft 2020-12. */
void schema_print_recipe(void);

#endif
