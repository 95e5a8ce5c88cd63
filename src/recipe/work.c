/* work.c - from the tree of a recipe to typed settings; see work.h. */
#include "recipe/work.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "recipe/gates.h"
#include "recipe/parts.h"
#include "recipe/vars.h"

/* Names of options are short; no table has more. */
enum { WORD = 64, MOST_NAMES = 128 };

/* --- values --- */

/* A list or a mapping as the one word that the option's parser reads: [json, md] as "json,md", {exponential: [0.001,
 * 0.9]} as "exponential:0.001,0.9". false: it is nested. */
static bool flatten(const struct mc_yaml *node, struct mc_buf *out)
{
    for (int i = 0; i < node->n; i++) {
        const struct mc_yaml *value = node->entries[i].value;
        if (i > 0) mc_buf_puts(out, ",");
        if (node->kind == MC_YAML_MAPPING) {
            mc_buf_printf(out, "%s:", node->entries[i].key->text);
            if (value->kind == MC_YAML_SEQUENCE && !flatten(value, out)) return false;
            if (value->kind == MC_YAML_SEQUENCE) continue;
        }
        if (value->kind != MC_YAML_SCALAR) return false;
        mc_buf_puts(out, value->text);
    }
    return true;
}

/* {train: csv:a.csv, test: csv:b.csv} as the one word that names the two. */
static int join_roles(struct mc_work *work, const struct mc_yaml *value, const char **text, struct mc_error *err)
{
    struct mc_buf word;
    mc_buf_init(&word, MC_YAML_MAX_BYTES);
    for (int i = 0; i < value->n; i++) {
        enum mc_role_of_data role;
        const struct mc_yaml *key = value->entries[i].key, *part = value->entries[i].value;
        int rc = mc_data_role_find(key->text, &role, err);
        if (rc == MC_OK && part->kind != MC_YAML_SCALAR)
            rc = mc_error_set(err, MC_ERR_USAGE, "'%s': needs a data set, has %s", key->text, mc_yaml_kind_text(part));
        if (rc < 0) {
            mc_buf_finish(&word);
            return mc_yaml_wrap(key, rc, err);
        }
        mc_buf_printf(&word, "%s%s=%s", i ? ";" : "", key->text, part->text);
    }
    *text = word.failed ? NULL : mc_arena_strndup(&work->arena, word.data ? word.data : "", word.length);
    mc_buf_finish(&word);
    return *text ? MC_OK : mc_error_memory(err);
}

/* What the option's parser is to read, into *text; refuses a value of the wrong form. */
static int value_text(struct mc_work *work, const struct mc_option *option, const struct mc_yaml *value,
                      const char **text, struct mc_error *err)
{
    const bool lists = option->kind == MC_OPTION_LIST || option->kind == MC_OPTION_NUMBERS;
    const bool may_list = lists && value->kind == MC_YAML_SEQUENCE;
    const bool may_map = value->kind == MC_YAML_MAPPING &&
                         (option->kind == MC_OPTION_BOUNDS || (option->kind == MC_OPTION_RATE && value->n == 1));
    *text = value->text;
    if (value->kind == MC_YAML_SCALAR && !value->empty) return MC_OK;
    if (value->kind == MC_YAML_MAPPING && value->n > 0 && strcmp(option->name, "data") == 0)
        return join_roles(work, value, text, err);
    char needs[8 * WORD];
    mc_option_needs(option, needs, sizeof needs);
    if (!may_list && !may_map)
        return mc_yaml_error(value, MC_ERR_USAGE, err, "'%s': needs %s, has %s", option->name, needs,
                             mc_yaml_kind_text(value));
    struct mc_buf flat;
    mc_buf_init(&flat, MC_YAML_MAX_BYTES);
    const bool is_flat = flatten(value, &flat);
    *text = is_flat && !flat.failed ? mc_arena_strndup(&work->arena, flat.data ? flat.data : "", flat.length) : NULL;
    mc_buf_finish(&flat);
    if (!is_flat)
        return mc_yaml_error(value, MC_ERR_USAGE, err, "'%s': needs %s, has something nested", option->name, needs);
    return *text ? MC_OK : mc_error_memory(err);
}

static int set_value(struct mc_work *work, struct mc_settings *settings, size_t i, const struct mc_yaml *value,
                     struct mc_error *err)
{
    const struct mc_option *option = &settings->options[i];
    struct mc_setting *setting = &settings->values[i];
    const char *text;
    int rc = value_text(work, option, value, &text, err);
    if (rc < 0) return rc;
    rc = mc_option_parse(option, text, setting, err);
    if (rc < 0) {
        mc_error_wrap(err, rc, "'%s'", option->name);
        return mc_yaml_wrap(value, rc, err);
    }
    setting->given = true;
    setting->at = value;
    return MC_OK;
}

/* --- mappings --- */

/* What a key at one level of a table stands for. */
static bool names_level(const struct mc_option *option, const char *prefix, const char **rest)
{
    const size_t length = strlen(prefix);
    if (strncmp(option->name, prefix, length) != 0) return false;
    *rest = option->name + length;
    return true;
}

/* The first words of a table's names behind `prefix`, each once, and `more` that are keys as well. */
static size_t collect_names(const struct mc_settings *settings, const char *prefix, const char *const *more,
                            char words[MOST_NAMES][WORD], const char *candidates[MOST_NAMES])
{
    size_t n = 0;
    for (size_t i = 0; i < settings->n && n < MOST_NAMES; i++) {
        const char *rest;
        if (!names_level(&settings->options[i], prefix, &rest)) continue;
        snprintf(words[n], WORD, "%.*s", (int)strcspn(rest, "."), rest);
        candidates[n] = words[n];
        n++;
    }
    for (; more && *more && n < MOST_NAMES; more++) candidates[n++] = *more;
    return n;
}

static int refuse_key(const struct mc_settings *settings, const char *prefix, const char *const *more,
                      const struct mc_yaml *key, struct mc_error *err)
{
    char words[MOST_NAMES][WORD];
    const char *candidates[MOST_NAMES];
    const size_t n = collect_names(settings, prefix, more, words, candidates);
    const char *nearest = mc_suggest(key->text, candidates, n);
    return mc_yaml_error(key, MC_ERR_USAGE, err, "unknown key '%s'%s%s%s", key->text, nearest ? " (did you mean '" : "",
                         nearest ? nearest : "", nearest ? "'?)" : "");
}

static bool is_among(const char *const *words, const char *word)
{
    for (; words && *words; words++)
        if (strcmp(*words, word) == 0) return true;
    return false;
}

static int read_mapping(struct mc_work *work, struct mc_settings *settings, const char *prefix,
                        const struct mc_yaml *mapping, const char *const *more, struct mc_error *err);

/* One key: an option, or a mapping that holds options "key.…". */
static int read_entry(struct mc_work *work, struct mc_settings *settings, const char *prefix,
                      const struct mc_yaml_entry *entry, const char *const *more, struct mc_error *err)
{
    const char *key = entry->key->text;
    const size_t length = strlen(key);
    for (size_t i = 0; i < settings->n; i++) {
        const char *rest;
        if (!names_level(&settings->options[i], prefix, &rest) || strncmp(rest, key, length) != 0) continue;
        if (rest[length] == '\0') return set_value(work, settings, i, entry->value, err);
        if (rest[length] != '.') continue;
        char inner[WORD];
        snprintf(inner, sizeof inner, "%s%s.", prefix, key);
        return read_mapping(work, settings, inner, entry->value, NULL, err);
    }
    return is_among(more, key) ? MC_OK : refuse_key(settings, prefix, more, entry->key, err);
}

/* Settings from a mapping (or nothing). `more`: keys that somebody else reads. */
static int read_mapping(struct mc_work *work, struct mc_settings *settings, const char *prefix,
                        const struct mc_yaml *mapping, const char *const *more, struct mc_error *err)
{
    if (!mapping || mapping->empty) return MC_OK;
    if (mapping->kind != MC_YAML_MAPPING)
        return mc_yaml_error(mapping, MC_ERR_USAGE, err, "needs a mapping, has %s", mc_yaml_kind_text(mapping));
    for (int i = 0; i < mapping->n; i++) {
        const int rc = read_entry(work, settings, prefix, &mapping->entries[i], more, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* --- steps --- */

/* An option that was given, though it means nothing beside the others. */
static int check_conditions(const struct mc_settings *settings, struct mc_error *err)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct mc_option *option = &settings->options[i];
        if (!settings->values[i].given || mc_settings_condition(settings, option->only)) continue;
        return mc_yaml_error(settings->values[i].at, MC_ERR_USAGE, err, "'%s' has a meaning only with %s", option->name,
                             option->only);
    }
    return MC_OK;
}

static const struct mc_step_kind *find_kind(const struct mc_yaml *name, struct mc_error *err)
{
    const struct mc_step_kind *kind = mc_steps_find(name->text);
    if (kind) return kind;
    const char *names[MOST_NAMES];
    for (size_t i = 0; i < mc_steps_count; i++) names[i] = mc_steps[i]->name;
    const char *nearest = mc_suggest(name->text, names, mc_steps_count);
    mc_yaml_error(name, MC_ERR_USAGE, err, "unknown step '%s'%s%s%s", name->text, nearest ? " (did you mean '" : "",
                  nearest ? nearest : "", nearest ? "'?)" : "");
    return NULL;
}

/* The options that every step has beside those of its kind. */
static int read_common(struct mc_work *work, struct mc_work_step *step, const struct mc_yaml *mapping,
                       struct mc_error *err)
{
    int rc = MC_OK;
    for (size_t i = 0; i < step->common.n && rc == MC_OK; i++) {
        const struct mc_yaml *value = mc_yaml_find(mapping, step->common.options[i].name);
        if (value) rc = set_value(work, &step->common, i, value, err);
    }
    const struct mc_setting *name = mc_settings_find(&step->common, "name");
    for (int k = 0; rc == MC_OK && name->given && k < work->n_steps - 1; k++) {
        const char *other = mc_settings_text(&work->steps[k].common, "name");
        if (other && strcmp(other, name->text) == 0)
            rc = mc_yaml_error(name->at, MC_ERR_USAGE, err, "'name': step %d is '%s' already", k + 1, name->text);
    }
    return rc;
}

static int read_step(struct mc_work *work, const struct mc_yaml *entry, struct mc_error *err)
{
    /* "- prune: {…}", or "- train" with all defaults */
    const bool bare = entry->kind == MC_YAML_SCALAR && !entry->empty;
    if (!bare && (entry->kind != MC_YAML_MAPPING || entry->n != 1))
        return mc_yaml_error(entry, MC_ERR_USAGE, err, "a step needs one name with its options, has %s",
                             entry->kind == MC_YAML_MAPPING ? "several" : mc_yaml_kind_text(entry));
    const struct mc_yaml *name = bare ? entry : entry->entries[0].key;
    const struct mc_step_kind *kind = find_kind(name, err);
    if (!kind) return MC_ERR_USAGE;
    struct mc_work_step *step = &work->steps[work->n_steps];
    step->kind = kind;
    step->at = name;
    int rc = mc_settings_init(&step->settings, kind->options, kind->n_options, err);
    if (rc == MC_OK) rc = mc_settings_init(&step->common, mc_step_options, mc_step_options_count, err);
    if (rc < 0) {
        mc_settings_finish(&step->settings);
        return rc;
    }
    work->n_steps++;
    const struct mc_yaml *mapping = bare ? NULL : entry->entries[0].value;
    const char *common[MOST_NAMES] = {0};
    for (size_t i = 0; i < mc_step_options_count; i++) common[i] = mc_step_options[i].name;
    rc = read_mapping(work, &step->settings, "", mapping, common, err);
    if (rc == MC_OK) rc = read_common(work, step, mapping, err);
    if (rc == MC_OK) rc = check_conditions(&step->settings, err);
    if (rc < 0 || !kind->check) return rc;
    const char *option = NULL;
    rc = kind->check(&step->settings, &option, err);
    if (rc == MC_OK) return MC_OK;
    const struct mc_setting *meant = mc_settings_find(&step->settings, option);
    return mc_yaml_wrap(meant->at ? meant->at : name, rc, err);
}

static int read_steps(struct mc_work *work, const struct mc_yaml *steps, struct mc_error *err)
{
    if (!steps || steps->empty) return MC_OK;
    if (steps->kind != MC_YAML_SEQUENCE)
        return mc_yaml_error(steps, MC_ERR_USAGE, err, "'steps' needs a list, has %s", mc_yaml_kind_text(steps));
    work->steps = MC_NEW_ARRAY(struct mc_work_step, steps->n);
    if (!work->steps) return mc_error_memory(err);
    for (int i = 0; i < steps->n; i++) {
        const int rc = read_step(work, steps->entries[i].value, err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* --- models --- */

static bool is_choice(const char *choices, const char *text)
{
    char word[WORD];
    for (int i = 0; choices && mc_choice_word(choices, i, word, sizeof word); i++)
        if (strcmp(word, text) == 0) return true;
    return false;
}

/* A choice, a file, or an architecture: choices are reserved words, and a file that is there is meant. */
static int find_model(struct mc_work *work, const struct mc_option *option, struct mc_setting *setting,
                      struct mc_error *err)
{
    if (is_choice(option->choices, setting->text)) return MC_OK;
    char *path = mc_path_join(setting->at->source->dir, setting->text);
    if (!path) return mc_error_memory(err);
    const bool there = mc_file_size(path) >= 0;
    if (there) setting->path = mc_arena_strdup(&work->arena, path);
    mc_free(path);
    if (there) return setting->path ? MC_OK : mc_error_memory(err);
    if (mc_architecture_known(setting->text)) return MC_OK;
    return mc_yaml_error(setting->at, MC_ERR_INPUT, err, "'%s': there is no file '%s', and no such architecture",
                         option->name, setting->text);
}

static int find_models(struct mc_work *work, struct mc_settings *settings, struct mc_error *err)
{
    for (size_t i = 0; i < settings->n; i++) {
        const struct mc_option *option = &settings->options[i];
        if (option->kind != MC_OPTION_MODEL || !settings->values[i].given) continue;
        const int rc = find_model(work, option, &settings->values[i], err);
        if (rc < 0) return rc;
    }
    return MC_OK;
}

/* Asked last: a misspelt key is told before a file that is not there. */
static int find_all_models(struct mc_work *work, struct mc_error *err)
{
    int rc = find_models(work, &work->top, err);
    for (int i = 0; rc == MC_OK && i < work->n_steps; i++) rc = find_models(work, &work->steps[i].settings, err);
    return rc;
}

/* --- the whole --- */

static int check_gates(const struct mc_work *work, struct mc_error *err)
{
    const char *option;
    const int rc = mc_gates_look(&work->gates, &option, err);
    return rc < 0 ? mc_yaml_wrap(mc_settings_find(&work->gates, option)->at, rc, err) : MC_OK;
}

/* What gates ask to be measured must be found, or nobody would know before all the work is done. */
static int check_measuring(const struct mc_work *work, struct mc_error *err)
{
    static const char *const names[] = {
        [MC_MEASURE_COUNTS] = "counts", [MC_MEASURE_SIZES] = "sizes", [MC_MEASURE_ALL] = "all"};
    const char *gate;
    const enum mc_measuring needed = mc_gates_need_measuring(&work->gates, &gate);
    if (needed <= (enum mc_measuring)mc_settings_integer(&work->top, "measure")) return MC_OK;
    return mc_yaml_error(mc_settings_find(&work->gates, gate)->at, MC_ERR_USAGE, err, "gate '%s' needs 'measure: %s'",
                         gate, names[needed]);
}

/* What steps and gates ask of the rest. */
static int check_needs(const struct mc_work *work, const struct mc_yaml *root, struct mc_error *err)
{
    if (!mc_settings_present(&work->top, "model")) return mc_yaml_error(root, MC_ERR_USAGE, err, "'model' is missing");
    const int rc = check_measuring(work, err);
    if (rc < 0) return rc;
    if (mc_settings_present(&work->top, "data")) return MC_OK;
    for (int i = 0; i < work->n_steps; i++)
        if (work->steps[i].kind->needs_data(&work->steps[i].settings))
            return mc_yaml_error(work->steps[i].at, MC_ERR_USAGE, err, "step '%s' needs 'data'",
                                 work->steps[i].kind->name);
    const char *gate = mc_gates_need_data(&work->gates);
    if (gate)
        return mc_yaml_error(mc_settings_find(&work->gates, gate)->at, MC_ERR_USAGE, err, "gate '%s' needs 'data'",
                             gate);
    return MC_OK;
}

int mc_work_init(struct mc_work *work, const struct mc_yaml *tree, struct mc_error *err)
{
    static const char *const parts[] = {"vars", "steps", "gates", "output", "tune", NULL}, *const tune_parts[] = {
                                                                                               "space", NULL};
    const struct mc_yaml *root = NULL;
    *work = (struct mc_work){0};
    mc_arena_init(&work->arena);
    int rc = mc_vars_expand(&root, tree, &work->arena, err);
    if (rc == MC_OK) rc = mc_settings_init(&work->top, mc_recipe_top_options, mc_recipe_top_options_count, err);
    if (rc == MC_OK) rc = mc_settings_init(&work->gates, mc_gate_options, mc_gate_options_count, err);
    if (rc == MC_OK) rc = mc_settings_init(&work->output, mc_output_options, mc_output_options_count, err);
    if (rc == MC_OK) rc = read_mapping(work, &work->top, "", root, parts, err);
    if (rc == MC_OK) rc = read_steps(work, mc_yaml_find(root, "steps"), err);
    if (rc == MC_OK) rc = read_mapping(work, &work->gates, "", mc_yaml_find(root, "gates"), NULL, err);
    if (rc == MC_OK) rc = read_mapping(work, &work->output, "", mc_yaml_find(root, "output"), NULL, err);
    if (rc == MC_OK) rc = mc_settings_init(&work->tune, mc_tune_options, mc_tune_options_count, err);
    if (rc == MC_OK) rc = read_mapping(work, &work->tune, "", mc_yaml_find(root, "tune"), tune_parts, err);
    if (rc == MC_OK) rc = check_conditions(&work->gates, err);
    if (rc == MC_OK) rc = check_conditions(&work->tune, err);
    if (rc == MC_OK) rc = check_gates(work, err);
    if (rc == MC_OK) rc = check_needs(work, root, err);
    return rc == MC_OK ? find_all_models(work, err) : rc;
}

void mc_work_finish(struct mc_work *work)
{
    for (int i = 0; i < work->n_steps; i++) {
        mc_settings_finish(&work->steps[i].settings);
        mc_settings_finish(&work->steps[i].common);
    }
    mc_free(work->steps);
    mc_settings_finish(&work->tune);
    mc_settings_finish(&work->output);
    mc_settings_finish(&work->gates);
    mc_settings_finish(&work->top);
    mc_arena_finish(&work->arena);
}
