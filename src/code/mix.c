/* mix.c - a binary arithmetic coder with mixed predictions; see mix.h. */
#include "code/mix.h"

/* Logarithms of odds ("stretched" probabilities) are in 1/256; inputs reach to +-8, their weighted sum to +-12. */
enum { STRETCH_ONE = 256, STRETCH_MOST = 2047, SUM_MOST = 3071 };

/* Weights are in 1/65536; how fast they learn. */
enum { WEIGHT_ONE = 65536, LEARNING_SHIFT = 19, LEARNING_RATE = 4 };

/* --- probabilities --- */

/* 65536 / (1 + exp(-x)) for x = sum / 256. */
static uint32_t squash(int sum)
{
    /* at x = -12, -11.5, … 12 */
    static const uint16_t at_halves[] = {
        1,     1,     1,     2,     3,     5,     8,     13,    22,    36,    60,    98,    162,
        267,   439,   720,   1179,  1921,  3108,  4971,  7812,  11955, 17625, 24743, 32768, 40793,
        47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476,
        65500, 65514, 65523, 65528, 65531, 65533, 65534, 65535, 65535, 65535,
    };
    const int above = (sum < -SUM_MOST ? -SUM_MOST : sum > SUM_MOST ? SUM_MOST : sum) + SUM_MOST + 1;
    const int half = STRETCH_ONE / 2, i = above / half, part = above % half;
    return (uint32_t)(at_halves[i] * (half - part) + at_halves[i + 1] * part + half / 2) / half;
}

static void init(struct mc_mix *mix)
{
    /* the inverse of squash, which grows */
    int x = -STRETCH_MOST;
    for (int p = 0; p < 4096; p++) {
        while (x < STRETCH_MOST && squash(x) < (uint32_t)p * 16 + 8) x++;
        mix->stretch[p] = (int16_t)x;
    }
    for (uint32_t n = 0; n < 1024; n++) mix->rate[n] = (uint16_t)(2 * 65536 / (2 * n + 3));
    mix->low = 0;
    mix->high = UINT32_MAX;
}

void mc_mix_weights(int32_t *weights, int n)
{
    for (int i = 0; i < n; i++) weights[i] = WEIGHT_ONE / n;
}

/* Move a probability towards the bit by 1 / (n + 1.5) of the way after n observations. */
static void adapt(const struct mc_mix *mix, mc_mix_state *state, int limit, int bit)
{
    const int32_t p = (int32_t)(*state >> 10), target = bit ? (1 << 22) - 1 : 0;
    const uint32_t n = *state & 1023;
    const int32_t moved = p + (int32_t)((int64_t)(target - p) * mix->rate[n] / 65536);
    *state = (uint32_t)moved << 10 | (n < (uint32_t)limit ? n + 1 : n);
}

/* --- coder --- */

void mc_mix_init_encoder(struct mc_mix *mix, struct mc_buf *out)
{
    *mix = (struct mc_mix){.out = out};
    init(mix);
}

static uint32_t next_byte(struct mc_mix *mix)
{
    if (mix->in < mix->end) return *mix->in++;
    if (mix->n_missing < 8) mix->n_missing++;
    return 0;
}

void mc_mix_init_decoder(struct mc_mix *mix, const unsigned char *bytes, size_t length)
{
    *mix = (struct mc_mix){.decoding = true, .in = bytes, .end = bytes + length, .n_bytes = length};
    init(mix);
    for (int i = 0; i < 4; i++) mix->code = mix->code << 8 | next_byte(mix);
}

/* The interval is cut at the probability of a 1, and its leading bytes leave as soon as they are settled. */
static int code_bit(struct mc_mix *mix, uint32_t probability, int bit)
{
    const uint32_t middle = mix->low + (uint32_t)((uint64_t)(mix->high - mix->low) * probability >> 16);
    if (mix->decoding) bit = mix->code <= middle;
    if (bit)
        mix->high = middle;
    else
        mix->low = middle + 1;
    while ((mix->low ^ mix->high) >> 24 == 0) {
        if (mix->decoding) {
            mix->code = mix->code << 8 | next_byte(mix);
        } else {
            const unsigned char byte = (unsigned char)(mix->high >> 24);
            mc_buf_append(mix->out, &byte, 1);
        }
        mix->n_settled++;
        mix->low <<= 8;
        mix->high = mix->high << 8 | 255;
    }
    return bit;
}

int mc_mix_bit(struct mc_mix *mix, mc_mix_state *const *states, int n, int32_t *weights, int limit, int bit)
{
    int input[MC_MIX_MOST_INPUTS];
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        input[i] = mix->stretch[*states[i] >> 20];
        sum += (int64_t)weights[i] * input[i];
    }
    sum /= WEIGHT_ONE;
    const uint32_t p = squash((int)(sum < -SUM_MOST ? -SUM_MOST : sum > SUM_MOST ? SUM_MOST : sum));
    bit = code_bit(mix, p, bit);
    const int64_t error = (int64_t)((bit << 16) - (int)p) * LEARNING_RATE;
    for (int i = 0; i < n; i++) {
        weights[i] += (int32_t)(error * input[i] / (1 << LEARNING_SHIFT));
        adapt(mix, states[i], limit, bit);
    }
    return bit;
}

/* As few bytes of `high` as lie within the interval when zeroes follow. */
static int last_bytes(const struct mc_mix *mix)
{
    int n = 0;
    while (n < 4 && (n == 0 ? 0 : mix->high >> (32 - 8 * n) << (32 - 8 * n)) < mix->low) n++;
    return n;
}

void mc_mix_finish(struct mc_mix *mix)
{
    for (int i = 0, n = last_bytes(mix); i < n; i++) {
        const unsigned char byte = (unsigned char)(mix->high >> (24 - 8 * i));
        mc_buf_append(mix->out, &byte, 1);
    }
}

bool mc_mix_at_end(const struct mc_mix *mix)
{
    return mix->n_bytes == mix->n_settled + (size_t)last_bytes(mix);
}
