/* text.c - bytes that repeat, by mixed predictions; see text.h. */
#include "code/text.h"

#include <string.h>

#include "base/alloc.h"
#include "code/mix.h"
#include "code/vocabulary.h"

enum { ORDERS = 6, INPUTS = ORDERS + 2, LIMIT = 250 };

/* The next byte is looked for behind the last place that had the same so many bytes. */
enum { MATCH_BYTES = 4, MATCH_SLOT_BITS = 16, MATCH_LENGTHS = 32 };

struct model {
    struct mc_mix mix;
    unsigned char *text; /* the vocabulary, and what was coded */
    size_t at;
    int table_bits;
    mc_mix_state *tables[ORDERS];
    mc_mix_state order0[256], matched[MATCH_LENGTHS][2];
    int32_t weights[3][INPUTS];
    uint32_t *last_place; /* of the hash of MATCH_BYTES bytes: where they ended */
    size_t match, match_length;
};

static void finish(struct model *m)
{
    if (!m) return;
    for (int i = 0; i < ORDERS; i++) mc_free(m->tables[i]);
    mc_free(m->last_place);
    mc_free(m->text);
    mc_free(m);
}

static struct model *create(size_t n)
{
    struct model *m = MC_NEW(struct model);
    if (!m) return NULL;
    m->table_bits = 16;
    while (m->table_bits < 20 && n >> (m->table_bits - 4) > 0) m->table_bits++;
    m->text = mc_alloc(mc_vocabulary_bytes + n, 1);
    m->last_place = MC_NEW_ARRAY(uint32_t, (size_t)1 << MATCH_SLOT_BITS);
    bool whole = m->text && m->last_place;
    for (int i = 0; i < ORDERS && whole; i++) {
        m->tables[i] = MC_NEW_ARRAY(mc_mix_state, (size_t)1 << m->table_bits);
        whole = m->tables[i] != NULL;
        for (size_t k = 0; whole && k < (size_t)1 << m->table_bits; k++) m->tables[i][k] = MC_MIX_EVEN;
    }
    if (!whole) {
        finish(m);
        return NULL;
    }
    for (int i = 0; i < 256; i++) m->order0[i] = MC_MIX_EVEN;
    for (int i = 0; i < MATCH_LENGTHS; i++) m->matched[i][0] = m->matched[i][1] = MC_MIX_EVEN;
    for (int i = 0; i < 3; i++) mc_mix_weights(m->weights[i], INPUTS);
    memcpy(m->text, mc_vocabulary, mc_vocabulary_bytes);
    return m;
}

/* --- contexts --- */

static uint32_t hash_of(const unsigned char *end, int n_bytes)
{
    uint32_t h = (uint32_t)n_bytes * 0x9E3779B1u;
    for (int i = 1; i <= n_bytes; i++) h = (h ^ end[-i]) * 0x85EBCA6Bu;
    return h;
}

/* The bytes behind a match are followed as long as they hold. */
static void follow_match(struct model *m)
{
    if (m->match_length > 0 && m->text[m->match] == m->text[m->at - 1]) {
        m->match++;
        m->match_length++;
    } else {
        m->match_length = 0;
    }
    if (m->at < MATCH_BYTES) return;
    uint32_t *place = &m->last_place[hash_of(m->text + m->at, MATCH_BYTES) >> (32 - MATCH_SLOT_BITS)];
    if (m->match_length == 0 && *place > 0) {
        m->match = *place;
        while (m->match_length < m->match && m->match_length < 64 &&
               m->text[m->match - 1 - m->match_length] == m->text[m->at - 1 - m->match_length])
            m->match_length++;
    }
    *place = (uint32_t)m->at;
}

/* The bit that the match expects; -1 if there is none, or the bits so far are others. */
static int expected_bit(const struct model *m, unsigned node, int bit)
{
    if (m->match_length == 0) return -1;
    const unsigned byte = m->text[m->match] | 256u;
    return byte >> (bit + 1) == node ? (int)(byte >> bit & 1) : -1;
}

static int code_byte(struct model *m, int byte)
{
    uint32_t context[ORDERS];
    unsigned node = 1;
    for (int i = 0; i < ORDERS; i++)
        context[i] = hash_of(m->text + m->at, (size_t)i + 1 <= m->at ? i + 1 : (int)m->at) >> (32 - m->table_bits);
    const size_t mask = ((size_t)1 << m->table_bits) - 1;
    for (int bit = 7; bit >= 0; bit--) {
        mc_mix_state *states[INPUTS], none = MC_MIX_EVEN;
        const int expected = expected_bit(m, node, bit);
        const size_t length = m->match_length < MATCH_LENGTHS ? m->match_length : MATCH_LENGTHS - 1;
        for (int i = 0; i < ORDERS; i++) states[i] = &m->tables[i][(context[i] + node * 0x9E3779B1u) & mask];
        states[ORDERS] = &m->order0[node];
        states[ORDERS + 1] = expected < 0 ? &none : &m->matched[length][expected];
        int32_t *weights = m->weights[expected < 0 ? 0 : length < 16 ? 1 : 2];
        node = node * 2 + (unsigned)mc_mix_bit(&m->mix, states, INPUTS, weights, LIMIT, byte >> bit & 1);
    }
    return (int)(node & 255);
}

static void read_vocabulary(struct model *m)
{
    struct mc_buf nowhere;
    mc_buf_init(&nowhere, 0);
    mc_mix_init_encoder(&m->mix, &nowhere);
    for (; m->at < mc_vocabulary_bytes; follow_match(m)) {
        code_byte(m, m->text[m->at]);
        m->at++;
    }
}

bool mc_text_encode(struct mc_buf *out, const unsigned char *bytes, size_t n)
{
    struct model *m = create(n);
    if (!m) return false;
    read_vocabulary(m);
    if (n > 0) memcpy(m->text + m->at, bytes, n);
    mc_mix_init_encoder(&m->mix, out);
    for (const size_t end = m->at + n; m->at < end; follow_match(m)) {
        code_byte(m, m->text[m->at]);
        m->at++;
    }
    mc_mix_finish(&m->mix);
    finish(m);
    return !out->failed;
}

int mc_text_decode(unsigned char *bytes, size_t n, const unsigned char *code, size_t length)
{
    struct model *m = create(n);
    if (!m) return -1;
    read_vocabulary(m);
    mc_mix_init_decoder(&m->mix, code, length);
    for (const size_t end = m->at + n; m->at < end && m->mix.n_missing <= 4; follow_match(m)) {
        m->text[m->at] = (unsigned char)code_byte(m, 0);
        m->at++;
    }
    const bool whole = m->at == mc_vocabulary_bytes + n && mc_mix_at_end(&m->mix);
    if (whole && n > 0) memcpy(bytes, m->text + mc_vocabulary_bytes, n);
    finish(m);
    return whole;
}
