/* moved.h - running an operator that moves data on its vectors (move_vectors.h). */
#ifndef MC_TESTS_OP_MOVED_H
#define MC_TESTS_OP_MOVED_H

/* Every vector of an operator gives the expected outputs; floats in either precision. */
void moved_check(const char *type);
/* The same with the elements moved in every other width: 1, 2, 4 and 8 bytes. */
void moved_check_types(const char *type);
/* Gradients of every vector that has float inputs, and each allocation failing in turn. */
void moved_check_gradients(const char *type);
void moved_check_memory(const char *type);

#endif
