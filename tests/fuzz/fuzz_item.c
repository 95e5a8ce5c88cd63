/* fuzz_item.c - bytes of a SequenceProto, MapProto or OptionalProto: what is read can be written and comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "onnx/item_file.h"

static void check_alike(const struct mc_item *a, const struct mc_item *b)
{
    if (a->kind != b->kind || a->n != b->n) abort();
    if (a->kind == MC_ITEM_TENSOR &&
        (a->tensor->dtype != b->tensor->dtype || !mc_shape_equal(&a->tensor->shape, &b->tensor->shape)))
        abort();
    for (int64_t i = 0; a->kind == MC_ITEM_SEQUENCE && i < a->n; i++) check_alike(a->elements[i], b->elements[i]);
}

/* The first byte chooses what is declared. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum mc_type_kind kinds[] = {MC_TYPE_SEQUENCE, MC_TYPE_MAP, MC_TYPE_OPTIONAL};
    char path[] = "/tmp/fuzz_item.XXXXXX";
    if (size < 1) return 0;
    const enum mc_type_kind kind = kinds[data[0] % 3];
    const int fd = mkstemp(path);
    if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1) abort();
    close(fd);
    struct mc_item *item, *again;
    struct mc_error err = {0};
    if (mc_item_load(&item, kind, path, &err) == MC_OK) {
        if (mc_item_save(item, kind, "item", path, true, &err) < 0 || mc_item_load(&again, kind, path, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            abort();
        }
        check_alike(item, again);
        mc_item_release(again);
        mc_item_release(item);
    } else if (!err.text[0])
        abort();
    unlink(path);
    return 0;
}
