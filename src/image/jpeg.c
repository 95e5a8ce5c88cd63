/* jpeg.c - JPEG by libjpeg-turbo; see picture.h.
 *
 * The library leaves by longjmp: whatever is used after that lives in struct reading, whose address the caller took.
 */
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "base/error.h"
#include "image/picture_format.h"

/* A progressive file may come in as many scans as it likes, each of which costs a pass over all coefficients. */
enum { MAX_SCANS = 500, MAX_MEMORY = 1 << 29 };

struct reading {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr manager;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    struct mc_picture *picture;
    char text[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr jpeg)
{
    struct reading *r = jpeg->client_data;
    jpeg->err->format_message(jpeg, r->text);
    longjmp(r->leave, 1);
}

/* The library goes on after data that are damaged or end early, with whatever it has; a data set should not. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0) on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    struct reading *r = jpeg->client_data;
    if (r->jpeg.input_scan_number <= MAX_SCANS) return;
    snprintf(r->text, sizeof r->text, "more than %d scans", MAX_SCANS);
    longjmp(r->leave, 1);
}

static int read_all(struct reading *r, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (setjmp(r->leave)) return mc_error_set(err, MC_ERR_INPUT, "is a broken JPEG file: %s", r->text);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &r->progress;
    jpeg->mem->max_memory_to_use = MAX_MEMORY;
    jpeg_mem_src(jpeg, (unsigned char *)(uintptr_t)bytes, (unsigned long)length);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "is a JPEG file in CMYK, which is not read");
    const int rc = mc_picture_allocate(r->picture, jpeg->image_height, jpeg->image_width, err);
    if (rc < 0) return rc;
    jpeg->out_color_space = JCS_RGB;
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = r->picture->pixels + (size_t)jpeg->output_scanline * jpeg->output_width * 3;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return MC_OK;
}

int mc_picture_jpeg(struct mc_picture *picture, const unsigned char *bytes, size_t length, struct mc_error *err)
{
    struct reading r = {.picture = picture, .progress = {.progress_monitor = on_progress}};
    r.jpeg.err = jpeg_std_error(&r.manager);
    r.jpeg.client_data = &r;
    r.manager.error_exit = on_error;
    r.manager.emit_message = on_message;
    const int rc = read_all(&r, bytes, length, err);
    jpeg_destroy_decompress(&r.jpeg);
    return rc;
}
