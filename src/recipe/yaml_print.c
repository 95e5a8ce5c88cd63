/* yaml_print.c - a tree as YAML text again; see yaml.h. */
#include <ctype.h>
#include <string.h>

#include "recipe/yaml.h"

/* Mappings and lists down to this depth take a line an entry, deeper ones a line as a whole. */
enum { BLOCK_DEPTH = 2 };

static bool is_plain(const char *text)
{
    if (!*text || (!isalnum((unsigned char)*text) && !strchr("/._", *text))) return false;
    for (const char *c = text; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("/._+-=@%", *c)) continue;
        if (*c == ':' && c[1] && c[1] != ' ') continue;
        return false;
    }
    return true;
}

/* Quoted where YAML might see more in it than a text. */
static void print_text(const char *text, struct mc_buf *out)
{
    if (is_plain(text)) {
        mc_buf_puts(out, text);
        return;
    }
    mc_buf_puts(out, "\"");
    for (const char *c = text; *c; c++) {
        if (iscntrl((unsigned char)*c))
            mc_buf_printf(out, "\\x%02x", (unsigned)(unsigned char)*c);
        else
            mc_buf_printf(out, strchr("\"\\", *c) ? "\\%c" : "%c", *c);
    }
    mc_buf_puts(out, "\"");
}

void mc_yaml_print_flow(const struct mc_yaml *node, struct mc_buf *out)
{
    if (node->kind == MC_YAML_SCALAR) {
        if (!node->empty) print_text(node->text, out);
        return;
    }
    const bool map = node->kind == MC_YAML_MAPPING;
    mc_buf_puts(out, map ? "{" : "[");
    for (int i = 0; i < node->n; i++) {
        if (i > 0) mc_buf_puts(out, ", ");
        if (map) {
            print_text(node->entries[i].key->text, out);
            mc_buf_puts(out, ": ");
        }
        mc_yaml_print_flow(node->entries[i].value, out);
    }
    mc_buf_puts(out, map ? "}" : "]");
}

static void print_block(const struct mc_yaml *node, int depth, struct mc_buf *out)
{
    for (int i = 0; i < node->n; i++) {
        const struct mc_yaml *value = node->entries[i].value;
        mc_buf_printf(out, "%*s", 2 * depth, "");
        if (node->kind == MC_YAML_MAPPING) {
            print_text(node->entries[i].key->text, out);
            mc_buf_puts(out, ":");
        } else {
            mc_buf_puts(out, "-");
        }
        if (value->kind != MC_YAML_SCALAR && value->n > 0 && depth + 1 < BLOCK_DEPTH) {
            mc_buf_puts(out, "\n");
            print_block(value, depth + 1, out);
            continue;
        }
        if (value->kind != MC_YAML_SCALAR || !value->empty) mc_buf_puts(out, " ");
        mc_yaml_print_flow(value, out);
        mc_buf_puts(out, "\n");
    }
}

void mc_yaml_print(const struct mc_yaml *root, struct mc_buf *out)
{
    if (root->kind != MC_YAML_SCALAR && root->n > 0) {
        print_block(root, 0, out);
        return;
    }
    mc_yaml_print_flow(root, out);
    mc_buf_puts(out, "\n");
}
