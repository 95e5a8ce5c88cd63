/* operators.c - prints docs/operators.md from the table of operators.
 *
 * A test compares the page with what this prints: build/docs/operators > docs/operators.md brings it up to date.
 */
#include <stdio.h>
#include <string.h>

#include "op/ops.h"

/* "13", "13 to 17" or "from 18": the opset versions that a descriptor serves. */
static void print_versions(size_t i)
{
    const struct mc_op *const op = mc_ops[i], *const next = i + 1 < mc_ops_count ? mc_ops[i + 1] : NULL;
    if (!next || strcmp(next->type, op->type) != 0 || strcmp(next->domain, op->domain) != 0)
        printf("from %d", op->since);
    else if (next->since == op->since + 1)
        printf("%d", op->since);
    else
        printf("%d to %d", op->since, next->since - 1);
}

static void print_count(int low, int high)
{
    if (high < 0)
        printf("%d or more", low);
    else if (low == high)
        printf("%d", low);
    else
        printf("%d to %d", low, high);
}

static void print_gradients(const struct mc_op *op)
{
    if (op->branches) {
        printf("what the graph that was run sees of those around it");
        return;
    }
    if (!op->backward) {
        printf("no: %s", op->no_backward ? op->no_backward : "the output does not depend on the contents");
        return;
    }
    if (op->max_inputs < 0) {
        printf("all inputs");
        return;
    }
    const char *separator = "input ";
    bool all = true;
    for (int i = 0; i < op->max_inputs; i++) {
        if (!(op->grad_inputs >> (i < 31 ? i : 31) & 1)) {
            all = false;
            continue;
        }
        printf("%s%d", separator, i);
        separator = ", ";
    }
    if (!all) printf(" (others: %s)", op->others);
}

/* How it is run. */
static const char *run_text(const struct mc_op *op)
{
    if (op->shape_only) return "from shapes alone";
    if (op->view) return "a view";
    if (op->evaluate) return op->forward ? "planned, or by itself" : "by itself";
    return "planned";
}

static const char *coupling_text(const struct mc_op *op)
{
    if (op->shape_only) return "follows its input";
    if (op->max_inputs == 0) return "a parameter";
    if (op->coupling == mc_coupling_freeze_all) return "frozen";
    if (op->coupling == mc_coupling_elementwise) return "element by element";
    if (op->coupling == mc_coupling_first_input) return "axis by axis";
    return op->resize ? "own rule, mended after a cut" : "own rule";
}

int main(void)
{
    printf(
        "# Operators\n\n"
        "Made by `build/docs/operators` from the table in `src/op/op_list.h`; a test holds that it is up to date.\n\n"
        "- **opset**: the versions of the operator set whose semantics are implemented; others are refused by name.\n"
        "- **runs**: *planned* with everything else, as *a view* of its input, or *by itself* once its inputs are "
        "there.\n"
        "- **gradient**: the inputs that training can reach through the operator, and what the others are; or why "
        "there is "
        "no\n"
        "  derivative. A test holds each against differences.\n"
        "- **channels**: what becomes of removable channels at the operator. *Frozen*: none that it touches is "
        "removed;\n"
        "  *element by element*, *axis by axis*: they pass as they are; *own rule*: as its file in `src/op` says.\n\n"
        "| operator | opset | inputs | outputs | runs | gradient | channels |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < mc_ops_count; i++) {
        const struct mc_op *const op = mc_ops[i];
        printf("| %s%s%s | ", op->domain, *op->domain ? "." : "", op->type);
        print_versions(i);
        printf(" | ");
        print_count(op->min_inputs, op->max_inputs);
        printf(" | ");
        print_count(op->n_outputs < 0 ? 1 : op->n_outputs > 1 ? 1 : op->n_outputs, op->n_outputs);
        printf(" | %s | ", run_text(op));
        print_gradients(op);
        printf(" | %s |\n", coupling_text(op));
    }
    return 0;
}
