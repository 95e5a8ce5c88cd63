/* fourier.h - discrete Fourier transforms of any length. */
#ifndef MC_KERNEL_FOURIER_H
#define MC_KERNEL_FOURIER_H

#include <stdint.h>

/* out[k] = sum over j of in[j] e^(-2 pi i j k / n), with e^(+…) if `inverse` (and no division by n). Complex numbers are
 * pairs of doubles. Takes n times the sum of n's prime factors steps (Cooley and Tukey 1965), so that a prime length
 * takes n^2. `room`: mc_fourier_room(n) doubles. */
void mc_fourier(int64_t n, int inverse, const double *in, double *out, double *room);
int64_t mc_fourier_room(int64_t n);

#endif
