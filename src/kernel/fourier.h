/* fourier.h - discrete Fourier transforms of any length. */
#ifndef MC_KERNEL_FOURIER_H
#define MC_KERNEL_FOURIER_H

#include <stdbool.h>
#include <stdint.h>

/* Doubles that a transform of length n keeps its roots of unity and one sum's terms in. */
int64_t mc_fourier_room(int64_t n);

/* Fill the roots into `room` for transforms of length n, of e^(-2 pi i / n) or with `inverse` of e^(+2 pi i / n). */
void mc_fourier_init(int64_t n, bool inverse, double *room);

/* out[k] = sum over j of in[j] root^(j k); the inverse does not divide by n. Complex numbers are pairs of doubles.
 * Takes n times the sum of n's prime factors steps (Cooley and Tukey 1965), so that a prime length takes n^2. */
void mc_fourier(int64_t n, const double *in, double *out, double *room);

/* The same in float32 throughout, from the other end: the outputs are divided by the factors, smallest first (Gentleman
 * and Sande 1966), and terms that mirror each other are added up first. `in` is written over; room: 6 n floats. */
void mc_fourier_init_single(int64_t n, bool inverse, float *room);
void mc_fourier_single(int64_t n, float *in, float *out, float *room);

#endif
