/* image_decoder.c - ImageDecoder (ONNX opset 20): bytes of an image file to pixels [H, W, C], by image/picture.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "image/picture.h"
#include "op/items.h"
#include "op/outline.h"

enum order { RGB, BGR, GRAYSCALE };

/* -1: none that the standard has. */
static int order_of(const struct mc_node *node)
{
    static const char *const orders[] = {"RGB", "BGR", "Grayscale"};
    return mc_node_choice(node, "pixel_format", orders, 3, RGB);
}

static int image_decoder_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                               struct mc_error *err)
{
    (void)out;
    int rc = mc_need_dtype(node, 0, in[0], MC_TYPE_BIT(MC_UINT8), err);
    if (rc == MC_OK) rc = mc_need_rank(node, 0, in[0], 1, 1, err);
    if (rc < 0) return rc;
    if (order_of(node) < 0)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'pixel_format': needs RGB, BGR or Grayscale");
    return mc_error_set(err, MC_ERR_OPEN, "the extents of an image are only known once it is decoded");
}

static void image_decoder_outline(struct mc_symbols *s, const struct mc_node *node, const struct mc_outline *const *in,
                                  struct mc_outline *out)
{
    out[0] = mc_outline_of_rank(3);
    out[0].dim[2] = mc_symbol_number(s, order_of(node) == GRAYSCALE ? 1 : 3);
}

static void reverse_colours(struct mc_picture *p)
{
    for (int64_t i = 0; i < p->height * p->width; i++) {
        unsigned char *const rgb = p->pixels + 3 * i, red = rgb[0];
        rgb[0] = rgb[2];
        rgb[2] = red;
    }
}

static int image_decoder_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_tensor *x = NULL;
    struct mc_tensor *y;
    struct mc_picture p;
    int rc = mc_take_tensor(call, 0, &x, err);
    if (rc == MC_OK && x->dtype != MC_UINT8)
        rc = mc_error_set(err, MC_ERR_INPUT, "input 0: needs uint8, has %s", mc_dtype_name(x->dtype));
    if (rc < 0) return rc;
    const int order = order_of(call->node);
    rc = mc_picture_decode(&p, x->data, mc_tensor_bytes(x), order == GRAYSCALE ? 1 : 3, err);
    if (rc < 0) return mc_error_wrap(err, rc, "input 0");
    if (order == BGR) reverse_colours(&p);
    rc = mc_tensor_create(&y, MC_UINT8, &(struct mc_shape){.rank = 3, .dim = {p.height, p.width, p.channels}}, err);
    if (rc == MC_OK) memcpy(y->data, p.pixels, mc_tensor_bytes(y));
    mc_free(p.pixels);
    return rc == MC_OK ? mc_give_tensor(call, 0, y, err) : rc;
}

const struct mc_op mc_op_image_decoder_20 = {
    .domain = "",
    .type = "ImageDecoder",
    .since = 20,
    .min_inputs = 1,
    .max_inputs = 1,
    .n_outputs = 1,
    .shape = image_decoder_shape,
    .outline = image_decoder_outline,
    .evaluate = image_decoder_evaluate,
    .backward = NULL,
    .no_backward = "bytes of a file have no derivative",
    .coupling = mc_coupling_freeze_all,
    .cost = mc_cost_free,
};
