/* jpeg2000.c - JPEG 2000 by OpenJPEG, which is opened when the first such file is read; see picture.h. */
#include <string.h>

#include <openjpeg.h>

#include "base/alloc.h"
#include "base/error.h"
#include "image/codestream.h"
#include "image/picture_format.h"

#define SONAME "libopenjp2.so.7"

struct library {
    __typeof__(&opj_stream_default_create) stream_create;
    __typeof__(&opj_stream_destroy) stream_destroy;
    __typeof__(&opj_stream_set_read_function) set_read;
    __typeof__(&opj_stream_set_skip_function) set_skip;
    __typeof__(&opj_stream_set_seek_function) set_seek;
    __typeof__(&opj_stream_set_user_data) set_data;
    __typeof__(&opj_stream_set_user_data_length) set_length;
    __typeof__(&opj_create_decompress) create;
    __typeof__(&opj_destroy_codec) destroy;
    __typeof__(&opj_set_default_decoder_parameters) set_defaults;
    __typeof__(&opj_setup_decoder) set_up;
    __typeof__(&opj_read_header) read_header;
    __typeof__(&opj_decode) decode;
    __typeof__(&opj_end_decompress) end;
    __typeof__(&opj_image_destroy) image_destroy;
};

static int open_library(struct library *l, struct mc_error *err)
{
    const struct mc_library_symbol symbols[] = {
        {"opj_stream_default_create", &l->stream_create},
        {"opj_stream_destroy", &l->stream_destroy},
        {"opj_stream_set_read_function", &l->set_read},
        {"opj_stream_set_skip_function", &l->set_skip},
        {"opj_stream_set_seek_function", &l->set_seek},
        {"opj_stream_set_user_data", &l->set_data},
        {"opj_stream_set_user_data_length", &l->set_length},
        {"opj_create_decompress", &l->create},
        {"opj_destroy_codec", &l->destroy},
        {"opj_set_default_decoder_parameters", &l->set_defaults},
        {"opj_setup_decoder", &l->set_up},
        {"opj_read_header", &l->read_header},
        {"opj_decode", &l->decode},
        {"opj_end_decompress", &l->end},
        {"opj_image_destroy", &l->image_destroy},
    };
    return mc_picture_library(SONAME, symbols, MC_COUNT(symbols), err);
}

/* --- the file --- */

struct reading {
    const unsigned char *bytes;
    size_t length, at;
};

static OPJ_SIZE_T give_bytes(void *to, OPJ_SIZE_T wanted, void *context)
{
    struct reading *r = context;
    const size_t left = r->length - r->at, n = wanted < left ? wanted : left;
    if (n == 0) return (OPJ_SIZE_T)-1;
    memcpy(to, r->bytes + r->at, n);
    r->at += n;
    return n;
}

static OPJ_BOOL seek(OPJ_OFF_T at, void *context)
{
    struct reading *r = context;
    if (at < 0 || (uint64_t)at > r->length) return OPJ_FALSE;
    r->at = (size_t)at;
    return OPJ_TRUE;
}

static OPJ_OFF_T skip(OPJ_OFF_T n, void *context)
{
    const struct reading *r = context;
    if (n > (OPJ_OFF_T)(r->length - r->at)) n = (OPJ_OFF_T)(r->length - r->at);
    return seek((OPJ_OFF_T)r->at + n, context) ? n : -1;
}

static opj_stream_t *open_stream(const struct library *l, struct reading *r)
{
    opj_stream_t *const stream = l->stream_create(OPJ_TRUE);
    if (!stream) return NULL;
    l->set_read(stream, give_bytes);
    l->set_skip(stream, skip);
    l->set_seek(stream, seek);
    l->set_data(stream, r, NULL);
    l->set_length(stream, r->length);
    return stream;
}

/* --- the pixels --- */

static int broken(struct mc_error *err)
{
    return mc_error_set(err, MC_ERR_INPUT, "is a broken JPEG 2000 file");
}

/* Grey or red, green, blue, perhaps with an alpha behind; every component as fine as the others. */
static int check_image(const opj_image_t *image, struct mc_error *err)
{
    if (image->color_space > OPJ_CLRSPC_GRAY || image->numcomps < 1 || image->numcomps > 4)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "is a JPEG 2000 file that is neither grey nor in RGB");
    for (OPJ_UINT32 i = 0; i < image->numcomps; i++) {
        const opj_image_comp_t *const c = &image->comps[i];
        if (c->dx != 1 || c->dy != 1 || c->w != image->comps[0].w || c->h != image->comps[0].h)
            return mc_error_set(err, MC_ERR_UNSUPPORTED, "is a JPEG 2000 file with components of several sizes");
        if (c->prec < 1 || c->prec > 16)
            return mc_error_set(err, MC_ERR_UNSUPPORTED,
                                "is a JPEG 2000 file with %u bits a component, 1 to 16 are read", c->prec);
    }
    return MC_OK;
}

static void take_pixels(const opj_image_t *image, struct mc_picture *p)
{
    const size_t n = (size_t)(p->height * p->width);
    for (OPJ_UINT32 k = 0; k < 3; k++) {
        const opj_image_comp_t *const c = &image->comps[image->numcomps >= 3 ? k : 0];
        const int32_t most = (1 << c->prec) - 1, zero = c->sgnd ? 1 << (c->prec - 1) : 0;
        for (size_t i = 0; i < n; i++) {
            const int64_t value = (int64_t)c->data[i] + zero;
            p->pixels[3 * i + k] = mc_picture_level(value < 0 ? 0 : (uint32_t)value, (uint32_t)most);
        }
    }
}

static int decode(const struct library *l, opj_codec_t *codec, opj_stream_t *stream, opj_image_t **image,
                  struct mc_picture *p, struct mc_error *err)
{
    opj_dparameters_t parameters;
    l->set_defaults(&parameters);
    if (!l->set_up(codec, &parameters) || !l->read_header(stream, codec, image)) return broken(err);
    int rc = check_image(*image, err);
    if (rc == MC_OK) rc = mc_picture_allocate(p, (*image)->comps[0].h, (*image)->comps[0].w, err);
    if (rc < 0) return rc;
    if (!l->decode(codec, stream, *image) || !l->end(codec, stream)) return broken(err);
    for (OPJ_UINT32 i = 0; i < (*image)->numcomps; i++) {
        const opj_image_comp_t *const c = &(*image)->comps[i];
        if (!c->data || c->w != p->width || c->h != p->height) return broken(err);
    }
    take_pixels(*image, p);
    return MC_OK;
}

int mc_picture_jpeg2000(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct reading r = {.bytes = bytes, .length = length};
    opj_image_t *image = NULL;
    struct library l;
    int rc = open_library(&l, err);
    if (rc == MC_OK) rc = mc_codestream_check(bytes, length, err);
    if (rc < 0) return rc;
    opj_codec_t *const codec = l.create(bytes[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
    opj_stream_t *const stream = codec ? open_stream(&l, &r) : NULL;
    rc = stream ? decode(&l, codec, stream, &image, picture, err) : mc_error_memory(err);
    if (image) l.image_destroy(image);
    if (stream) l.stream_destroy(stream);
    if (codec) l.destroy(codec);
    return rc;
}
