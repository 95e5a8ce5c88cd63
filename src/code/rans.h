/* rans.h - asymmetric numeral systems over bytes with fixed frequencies.
 *
 * Source: Duda, "Asymmetric numeral systems: entropy coding combining speed of Huffman coding with compression rate of
 * arithmetic coding" (2013), range variant; several interleaved states as by Giesen, "Interleaved entropy coders"
 * (2014). States are 32 bits wide and give and take 16 at a time.
 */
#ifndef MC_CODE_RANS_H
#define MC_CODE_RANS_H

#include "base/buf.h"

enum { MC_RANS_SCALE = 4096 }; /* sum of all frequencies */

/* Frequencies that add up to MC_RANS_SCALE: at least 1 for what occurs, 0 for what does not. At least one count has to
 * be positive. */
void mc_rans_normalize(const uint32_t count[256], uint16_t frequency[256]);
/* Bits that coding as many symbols as `count` says takes by these frequencies, without the states. */
double mc_rans_cost(const uint32_t count[256], const uint16_t frequency[256]);

/* Append the code of n symbols, each of which has a frequency, and one of which has less than MC_RANS_SCALE. false
 * without memory. */
bool mc_rans_encode(struct mc_buf *out, const uint8_t *symbols, size_t n, const uint16_t frequency[256]);
/* Decode n symbols from exactly these bytes; false if they are not what mc_rans_encode makes. The frequencies must add
 * up to MC_RANS_SCALE. */
bool mc_rans_decode(uint8_t *symbols, size_t n, const unsigned char *bytes, size_t length,
                    const uint16_t frequency[256]);

#endif
