/* raster.c - symbols in rows, by mixed predictions; see raster.h. */
#include "code/raster.h"

#include "base/alloc.h"
#include "code/mix.h"

enum { PRESENCE_INPUTS = 7, VALUE_INPUTS = 3 };

/* Observations that an adaptive probability averages over: nearly all that there are. */
enum { PRESENCE_LIMIT = 1000, VALUE_LIMIT = 400 };

struct model {
    const struct mc_raster *raster;
    struct mc_mix mix;
    uint8_t *symbols;
    int n_bits; /* of a symbol */

    /* presence: is it another than the background? */
    mc_mix_state *column, row, order0, around[256], near[512], smooth[1024], run[64];
    int32_t presence_weights[3][PRESENCE_INPUTS];
    uint32_t *history; /* of each column: a bit for each row above, the last one lowest */
    uint32_t recent;   /* of this row, likewise */

    /* which one */
    mc_mix_state *tree, *after, *below;
    uint8_t *last; /* other than the background, in each column */
    uint8_t previous;
    int32_t value_weights[VALUE_INPUTS];
};

static int count_bits(uint32_t x)
{
    return __builtin_popcount(x);
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static void fill(mc_mix_state *states, size_t n, mc_mix_state value)
{
    for (size_t i = 0; i < n; i++) states[i] = value;
}

/* --- is it another than the background? --- */

static uint32_t history_at(const struct model *m, size_t column, ptrdiff_t away)
{
    const ptrdiff_t at = (ptrdiff_t)column + away;
    return at < 0 || at >= (ptrdiff_t)m->raster->n_columns ? 0 : m->history[at];
}

/* What the row had `away` symbols before this one. */
static int before(const struct model *m, size_t i, size_t column, size_t away)
{
    return away <= column && m->symbols[i - away] != m->raster->background;
}

static int code_presence(struct model *m, size_t i, size_t column, int present)
{
    const uint32_t pitch = m->raster->pitch, above = m->history[column];
    const uint32_t left = history_at(m, column, -1), right = history_at(m, column, 1);
    const uint32_t up = history_at(m, column, -(ptrdiff_t)pitch), down = history_at(m, column, pitch);
    const int in_row = count_bits(m->recent & 0xffff);
    const int close = (int)(above & 3) | (int)(m->recent & 3) << 2 | before(m, i, column, pitch) << 4 |
                      before(m, i, column, 2 * (size_t)pitch) << 5 | (int)(left & 1) << 6 | (int)(right & 1) << 7;
    const int nearby = count_bits(left & 0xff) + count_bits(right & 0xff);
    const int smooth = count_bits(left) + count_bits(right) + count_bits(up) + count_bits(down);
    mc_mix_state *states[PRESENCE_INPUTS] = {
        &m->order0,
        &m->row,
        &m->column[column],
        &m->around[close],
        &m->near[least(count_bits(above & 0xff), 7) * 64 + least(nearby, 7) * 8 + least(in_row, 7)],
        &m->smooth[least(smooth, 31) * 32 + least(count_bits(above), 31)],
        &m->run[least(in_row, 7) * 8 + least(count_bits(m->recent >> 16), 7)],
    };
    int32_t *weights = m->presence_weights[least(count_bits((uint32_t)close), 2)];
    return mc_mix_bit(&m->mix, states, PRESENCE_INPUTS, weights, PRESENCE_LIMIT, present);
}

/* --- which one? --- */

/* A probability that was never used begins where the one without context stands. */
static mc_mix_state *inherit(mc_mix_state *state, mc_mix_state from)
{
    if (*state == 0) *state = (from & ~(mc_mix_state)1023) | 3;
    return state;
}

/* From the highest bit down; the node of the tree is 1 and then the bits so far. */
static int code_value(struct model *m, size_t column, int value)
{
    const size_t size = (size_t)1 << m->n_bits;
    size_t node = 1;
    for (int b = m->n_bits - 1; b >= 0; b--) {
        mc_mix_state *states[VALUE_INPUTS] = {
            &m->tree[node],
            inherit(&m->after[m->previous * size + node], m->tree[node]),
            inherit(&m->below[m->last[column] * size + node], m->tree[node]),
        };
        node =
            node * 2 + (size_t)mc_mix_bit(&m->mix, states, VALUE_INPUTS, m->value_weights, VALUE_LIMIT, value >> b & 1);
    }
    return (int)(node - size);
}

/* --- the whole --- */

static void start_row(struct model *m)
{
    /* a new row is as full as all before it, until it shows otherwise */
    m->row = (m->order0 & ~(mc_mix_state)1023) | 8;
    m->recent = 0;
    m->previous = (uint8_t)m->raster->background;
}

static int code_symbol(struct model *m, size_t i, size_t column)
{
    const int background = m->raster->background;
    const bool encoding = !m->mix.decoding;
    const int present = code_presence(m, i, column, encoding && m->symbols[i] != background);
    int symbol = background;
    if (present && m->raster->n_symbols == 2) symbol = 1 - background;
    if (present && m->raster->n_symbols > 2) symbol = code_value(m, column, m->symbols[i]);
    m->recent = m->recent << 1 | (uint32_t)present;
    m->history[column] = m->history[column] << 1 | (uint32_t)present;
    if (present) m->previous = m->last[column] = (uint8_t)symbol;
    return symbol;
}

static bool code_all(struct model *m)
{
    const struct mc_raster *r = m->raster;
    size_t i = 0;
    while (i < r->n) {
        start_row(m);
        for (size_t column = 0; column < r->n_columns && i < r->n; column++, i++) {
            const int symbol = code_symbol(m, i, column);
            if (symbol >= r->n_symbols) return false;
            if (m->mix.decoding) m->symbols[i] = (uint8_t)symbol;
        }
        if (m->mix.n_missing > 4) return false;
    }
    return true;
}

static void finish(struct model *m)
{
    if (!m) return;
    mc_free(m->column);
    mc_free(m->history);
    mc_free(m->last);
    mc_free(m->tree);
    mc_free(m->after);
    mc_free(m->below);
    mc_free(m);
}

static struct model *create(const struct mc_raster *raster, uint8_t *symbols)
{
    struct model *m = MC_NEW(struct model);
    if (!m) return NULL;
    m->raster = raster;
    m->symbols = symbols;
    while (raster->n_symbols > 1 << m->n_bits) m->n_bits++;
    const size_t size = (size_t)1 << m->n_bits;
    m->column = MC_NEW_ARRAY(mc_mix_state, raster->n_columns);
    m->history = MC_NEW_ARRAY(uint32_t, raster->n_columns);
    m->last = MC_NEW_ARRAY(uint8_t, raster->n_columns);
    m->tree = MC_NEW_ARRAY(mc_mix_state, size);
    m->after = MC_NEW_ARRAY(mc_mix_state, size * size);
    m->below = MC_NEW_ARRAY(mc_mix_state, size * size);
    if (!m->column || !m->history || !m->last || !m->tree || !m->after || !m->below) {
        finish(m);
        return NULL;
    }
    const mc_mix_state rare = (mc_mix_state)(1 << 28) | 2;
    fill(m->column, raster->n_columns, rare);
    fill(m->around, MC_COUNT(m->around), rare);
    fill(m->near, MC_COUNT(m->near), rare);
    fill(m->smooth, MC_COUNT(m->smooth), rare);
    fill(m->run, MC_COUNT(m->run), rare);
    fill(m->tree, size, MC_MIX_EVEN);
    m->order0 = rare;
    for (int i = 0; i < 3; i++) mc_mix_weights(m->presence_weights[i], PRESENCE_INPUTS);
    mc_mix_weights(m->value_weights, VALUE_INPUTS);
    for (size_t i = 0; i < raster->n_columns; i++) m->last[i] = (uint8_t)raster->background;
    return m;
}

bool mc_raster_encode(struct mc_buf *out, const struct mc_raster *raster, const uint8_t *symbols)
{
    struct model *m = create(raster, (uint8_t *)(uintptr_t)symbols);
    if (!m) return false;
    mc_mix_init_encoder(&m->mix, out);
    code_all(m);
    mc_mix_finish(&m->mix);
    finish(m);
    return !out->failed;
}

int mc_raster_decode(const struct mc_raster *raster, uint8_t *symbols, const unsigned char *bytes, size_t length)
{
    struct model *m = create(raster, symbols);
    if (!m) return -1;
    mc_mix_init_decoder(&m->mix, bytes, length);
    const bool whole = code_all(m) && mc_mix_at_end(&m->mix);
    finish(m);
    return whole;
}
