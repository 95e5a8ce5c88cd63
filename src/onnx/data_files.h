/* data_files.h - the files beside a model that hold its external data. */
#ifndef MC_ONNX_DATA_FILES_H
#define MC_ONNX_DATA_FILES_H

#include "base/file.h"
#include "onnx/payload.h"

struct mc_data_file {
    char *location; /* as the model has it */
    struct mc_file_view view;
    struct mc_payload *payloads; /* contents of tensors: inside the file, ascending, none over another */
    size_t n_payloads;
};

struct mc_data_files {
    size_t n;
    struct mc_data_file *files; /* by location, ascending, each once */
};

/* Open those that the bytes of a model name, in its folder. MC_ERR_INPUT if one is not there or outside the folder. */
int mc_data_files_open(struct mc_data_files *files, const unsigned char *model, size_t length, const char *dir,
                       struct mc_error *err);
void mc_data_files_close(struct mc_data_files *files);

#endif
