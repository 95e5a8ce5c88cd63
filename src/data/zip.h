/* zip.h - members of a ZIP archive (PKWARE's APPNOTE 6.3), stored or deflated, as NumPy's savez writes them. */
#ifndef MC_DATA_ZIP_H
#define MC_DATA_ZIP_H

#include "base/file.h"

enum { MC_ZIP_MAX_MEMBERS = 4096 };

struct mc_zip_member {
    char *name;
    int method; /* 0: stored, 8: deflated */
    uint32_t crc;
    size_t packed, size; /* bytes in the archive, and taken apart */
    size_t offset;       /* of its local header */
};

struct mc_zip {
    struct mc_file_view file;
    char *path;
    int n_members;
    struct mc_zip_member *members;
};

/* The list of members. MC_ERR_INPUT for what is no archive or contradicts itself, MC_ERR_UNSUPPORTED for encrypted
 * members and those of 4 GiB and more (ZIP64). `zip` is finished by the caller in any case. */
int mc_zip_open(struct mc_zip *zip, const char *path, struct mc_error *err);
void mc_zip_finish(struct mc_zip *zip);

const struct mc_zip_member *mc_zip_find(const struct mc_zip *zip, const char *name); /* NULL: none */

/* Contents of a member, in fresh memory (mc_free), checked against its CRC. A size that the archive promises is
 * believed only as far as 1,032 bytes per packed byte, the most that deflate can do. */
int mc_zip_read(const struct mc_zip *zip, const struct mc_zip_member *member, unsigned char **bytes,
                struct mc_error *err);

#endif
