/* elements.c - see elements.h. */
#include "elements.h"

#include <string.h>

#include "element_vectors.h"

void elements_check(const char *type, double tolerance)
{
    int n = 0;
    for (size_t i = 0; i < sizeof(element_vectors) / sizeof(*element_vectors); i++) {
        const struct element_vector *v = &element_vectors[i];
        if (strcmp(v->given.type, type) != 0) continue;
        print_message("[          ] %s\n", v->name);
        op_check(&v->given, v->expected, tolerance);
        op_check_memory(&v->given);
        n++;
    }
    if (n == 0) fail_msg("%s has no vectors", type);
}
