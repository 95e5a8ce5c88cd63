/* relation.h - losses between features of a student and of a teacher: attention maps, distances, angles.
 *
 * Each returns a sum and ADDS weight times its gradient with respect to the student's features s to ds, unless that is
 * NULL. The caller lends work memory, of as many doubles as the function beside each says.
 */
#ifndef MC_TRAIN_RELATION_H
#define MC_TRAIN_RELATION_H

#include <stddef.h>
#include <stdint.h>

/* Attention transfer (Zagoruyko and Komodakis 2017, "Paying more attention to attention", eq. 2, in the form of the
 * authors' code). The map of a sample is q = Q / |Q|, where Q is the sum over channels of the squares. s: [n,
 * s_channels, size], t: [n, t_channels, size]. The sum over samples of the mean over `size` of (q_s - q_t)^2. */
double mc_attention_loss(int64_t n, int64_t size, int64_t s_channels, const float *s, int64_t t_channels,
                         const float *t, double weight, float *ds, double *work);
size_t mc_attention_work(int64_t size);

/* Relational distillation (Park, Kim, Lu, Cho 2019, eq. 5 to 10, in the form of the authors' code): s [n, s_width] and
 * t [n, t_width] are points. n times the mean over all pairs of Huber's loss (delta 1) between the distances of the one
 * and of the other, each divided by the mean of those that are not 0. */
double mc_distance_loss(int64_t n, int64_t s_width, const float *s, int64_t t_width, const float *t, double weight,
                        float *ds, double *work);
/* n times the mean over all triples of Huber's loss between the cosines of the angles at the first point. */
double mc_angle_loss(int64_t n, int64_t s_width, const float *s, int64_t t_width, const float *t, double weight,
                     float *ds, double *work);
size_t mc_relation_work(int64_t n);

#endif
