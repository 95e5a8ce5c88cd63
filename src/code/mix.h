/* mix.h - a binary arithmetic coder whose probability is mixed from several predictions.
 *
 * Each prediction is an adaptive probability that the caller picks by some context; a small logistic regression,
 * trained as it goes, weighs them. All arithmetic is on integers, so that every machine decodes the same.
 *
 * Sources: Mahoney, "Adaptive weighing of context models for lossless data compression" (2005), logistic mixing;
 * Witten, Neal, Cleary, "Arithmetic coding for data compression" (1987).
 */
#ifndef MC_CODE_MIX_H
#define MC_CODE_MIX_H

#include "base/buf.h"

enum { MC_MIX_MOST_INPUTS = 12 };

/* An adaptive probability: 22 bits of the probability of a 1, 10 bits that count how often it was adapted. */
typedef uint32_t mc_mix_state;
#define MC_MIX_EVEN ((mc_mix_state)1 << 31)

struct mc_mix {
    bool decoding;
    uint32_t low, high, code;
    struct mc_buf *out;
    const unsigned char *in, *end;
    size_t n_settled; /* bytes that left, or were left behind, so far */
    size_t n_bytes;   /* that the decoder has */
    int n_missing;    /* bytes that the decoder wanted beyond them */
    int16_t stretch[4096];
    uint16_t rate[1024];
};

void mc_mix_init_encoder(struct mc_mix *mix, struct mc_buf *out);
void mc_mix_init_decoder(struct mc_mix *mix, const unsigned char *bytes, size_t length);

/* Start weights for n predictions: their mean. */
void mc_mix_weights(int32_t *weights, int n);

/* Code one bit: `bit` when encoding, ignored when decoding; returns the bit. Adapts the n states and the weights.
 * `limit` is how many observations a state averages over at most, 1 to 1023. */
int mc_mix_bit(struct mc_mix *mix, mc_mix_state *const *states, int n, int32_t *weights, int limit, int bit);

/* Encoder: write what is left. */
void mc_mix_finish(struct mc_mix *mix);
/* Decoder: are the bytes those that the encoder would have written, no more and no fewer? */
bool mc_mix_at_end(const struct mc_mix *mix);

#endif
