/* ml_linear.c - LinearRegressor, LinearClassifier, SVMRegressor, SVMClassifier (ai.onnx.ml 1).
 *
 * Probabilities of more than two classes come from those of pairs by Wu, Lin and Weng 2004, "Probability estimates for
 * multi-class classification by pairwise coupling", section 4 (the second method), as in LIBSVM.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "op/ml.h"

static double dot_floats(const double *x, const float *w, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * (double)w[i];
    return sum;
}

static int need_floats(const struct mc_node *node, const char *name, int64_t n, const float **list,
                       struct mc_error *err)
{
    int64_t have;
    *list = mc_ml_floats(node, name, &have);
    if (have == n) return MC_OK;
    return mc_error_set(err, MC_ERR_INPUT, "attribute '%s': needs %" PRId64 " numbers, has %" PRId64, name, n, have);
}

/* Weights of n outputs and what is added; intercepts may be left out. */
struct linear {
    int64_t n;
    const float *weights, *intercepts;
};

static int linear_init(struct linear *l, const struct mc_node *node, int64_t n, int64_t n_features,
                       struct mc_error *err)
{
    int64_t n_intercepts, total;
    *l = (struct linear){.n = n, .intercepts = mc_ml_floats(node, "intercepts", &n_intercepts)};
    if (n_intercepts && n_intercepts != n)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'intercepts': needs %" PRId64 " numbers, has %" PRId64, n,
                            n_intercepts);
    if (!mc_mul_i64(n, n_features, &total)) return mc_error_memory(err);
    return need_floats(node, "coefficients", total, &l->weights, err);
}

static void linear_scores(const struct linear *l, const double *x, int64_t n_features, double *scores)
{
    for (int64_t k = 0; k < l->n; k++)
        scores[k] =
            dot_floats(x, l->weights + k * n_features, n_features) + (l->intercepts ? (double)l->intercepts[k] : 0);
}

/* --- LinearRegressor --- */

static int linear_regressor_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                  struct mc_error *err)
{
    int64_t n, n_features;
    const int64_t n_targets = mc_node_int(node, "targets", 1);
    const int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc < 0) return rc;
    if (n_targets < 1)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'targets': needs 1 at least, has %" PRId64, n_targets);
    out[0] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 2, .dim = {n, n_targets}}};
    return MC_OK;
}

static int linear_regressor_evaluate(struct mc_call *call, struct mc_error *err)
{
    const int64_t n_targets = mc_node_int(call->node, "targets", 1);
    struct mc_ml_rows rows;
    struct linear l;
    enum mc_ml_post post;
    double *scores = NULL;
    int rc = mc_ml_rows_init(&rows, call, err);
    if (rc == MC_OK) rc = linear_init(&l, call->node, n_targets, rows.n_features, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&post, call->node, err);
    if (rc == MC_OK && !(scores = mc_alloc((size_t)rows.n + 1, (size_t)n_targets * sizeof *scores)))
        rc = mc_error_memory(err);
    for (int64_t i = 0; i < rows.n && rc == MC_OK; i++) {
        linear_scores(&l, rows.at + i * rows.n_features, rows.n_features, scores + i * n_targets);
        mc_ml_transform(post, scores + i * n_targets, n_targets);
    }
    const struct mc_shape shape = {.rank = 2, .dim = {rows.n, n_targets}};
    if (rc == MC_OK) rc = mc_ml_floats_item(scores, &shape, &call->out[0], err);
    mc_free(scores);
    mc_ml_rows_finish(&rows);
    return rc;
}

/* --- classifiers: labels and scores --- */

static int labels_of(const struct mc_node *node, struct mc_ml_labels *labels, struct mc_error *err)
{
    return mc_ml_labels_init(labels, node, "classlabels_ints", "classlabels_strings", err);
}

static void classifier_facts(const struct mc_ml_labels *labels, int64_t n, int64_t n_scores, struct mc_fact *out)
{
    out[0] = (struct mc_fact){.dtype = mc_ml_labels_type(labels), .shape = {.rank = 1, .dim = {n}}};
    out[1] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 2, .dim = {n, n_scores}}};
}

/* What one classifier works on; `of` and `scores` are filled row by row. */
struct classification {
    struct mc_ml_labels labels;
    struct mc_ml_rows rows;
    int64_t n_scores;
    double *scores;
    int64_t *of;
};

static int classification_init(struct classification *c, struct mc_call *call, int64_t n_scores, struct mc_error *err)
{
    *c = (struct classification){.n_scores = n_scores};
    int rc = labels_of(call->node, &c->labels, err);
    if (rc == MC_OK) rc = mc_ml_rows_init(&c->rows, call, err);
    if (rc < 0) return rc;
    c->scores = mc_alloc((size_t)c->rows.n + 1, (size_t)n_scores * sizeof *c->scores);
    c->of = MC_NEW_ARRAY(int64_t, c->rows.n + 1);
    return c->scores && c->of ? MC_OK : mc_error_memory(err);
}

static int classification_give(const struct classification *c, struct mc_call *call, struct mc_error *err)
{
    const struct mc_shape shape = {.rank = 2, .dim = {c->rows.n, c->n_scores}};
    const int rc = mc_ml_labels_item(&c->labels, c->of, c->rows.n, &call->out[0], err);
    return rc == MC_OK && call->n_out > 1 ? mc_ml_floats_item(c->scores, &shape, &call->out[1], err) : rc;
}

static void classification_finish(struct classification *c)
{
    mc_free(c->of);
    mc_free(c->scores);
    mc_ml_rows_finish(&c->rows);
}

/* --- LinearClassifier --- */

/* Rows of weights: as many as labels, or one for two labels. */
static int64_t n_outputs(const struct mc_node *node, int64_t n_features)
{
    int64_t n;
    mc_ml_floats(node, "coefficients", &n);
    return n_features > 0 ? n / n_features : 0;
}

static int linear_classifier_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                   struct mc_error *err)
{
    struct mc_ml_labels labels;
    int64_t n, n_features;
    int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc == MC_OK) rc = labels_of(node, &labels, err);
    if (rc < 0) return rc;
    const int64_t n_rows = n_outputs(node, n_features);
    if (labels.n < 2 || (n_rows != labels.n && !(n_rows == 1 && labels.n == 2)))
        return mc_error_set(err, MC_ERR_UNSUPPORTED,
                            "needs two classes at least and weights for each, has %" PRId64 " and %" PRId64, labels.n,
                            n_rows);
    classifier_facts(&labels, n, labels.n, out);
    return MC_OK;
}

static int linear_classifier_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct classification c;
    struct linear l;
    enum mc_ml_post post;
    struct mc_ml_labels labels;
    int rc = labels_of(call->node, &labels, err);
    if (rc < 0) return rc;
    rc = classification_init(&c, call, labels.n, err);
    if (rc == MC_OK) rc = linear_init(&l, call->node, n_outputs(call->node, c.rows.n_features), c.rows.n_features, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&post, call->node, err);
    for (int64_t i = 0; i < c.rows.n && rc == MC_OK; i++) {
        double *scores = c.scores + i * c.n_scores;
        linear_scores(&l, c.rows.at + i * c.rows.n_features, c.rows.n_features, scores);
        if (l.n == 1) { /* of the second class; the first has what is left of 1, as in ONNX Runtime */
            c.of[i] = scores[0] > 0;
            scores[1] = post == MC_POST_LOGISTIC ? mc_ml_logistic(scores[0]) : scores[0];
            scores[0] = 1 - scores[1];
            continue;
        }
        c.of[i] = mc_ml_largest(scores, c.n_scores);
        mc_ml_transform(post, scores, c.n_scores);
    }
    if (rc == MC_OK) rc = classification_give(&c, call, err);
    classification_finish(&c);
    return rc;
}

/* --- support vectors --- */

enum kernel { LINEAR, POLY, RBF, SIGMOID };

struct svm {
    enum kernel kernel;
    double gamma, coef0, degree;
    int64_t n_vectors, n_features;
    const float *vectors;
};

static int svm_init(struct svm *s, const struct mc_node *node, int64_t n_vectors, int64_t n_features,
                    struct mc_error *err)
{
    static const char *const names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    int64_t n_parameters, total;
    const float *parameters = mc_ml_floats(node, "kernel_params", &n_parameters);
    *s = (struct svm){.n_vectors = n_vectors, .n_features = n_features};
    const int kernel = mc_node_choice(node, "kernel_type", names, MC_COUNT(names), LINEAR);
    s->kernel = (enum kernel)kernel;
    if (kernel < 0)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'kernel_type': needs LINEAR, POLY, RBF or SIGMOID");
    if (n_parameters && n_parameters != 3)
        return mc_error_set(err, MC_ERR_INPUT, "attribute 'kernel_params': needs 3 numbers, has %" PRId64,
                            n_parameters);
    if (parameters) {
        s->gamma = (double)parameters[0];
        s->coef0 = (double)parameters[1];
        s->degree = (double)parameters[2];
    }
    if (!mc_mul_i64(n_vectors, n_features, &total)) return mc_error_memory(err);
    return n_vectors ? need_floats(node, "support_vectors", total, &s->vectors, err) : MC_OK;
}

static double kernel(const struct svm *s, const double *x, const float *v)
{
    double sum = 0;
    switch (s->kernel) {
    case RBF:
        for (int64_t i = 0; i < s->n_features; i++) {
            const double d = x[i] - (double)v[i];
            sum += d * d;
        }
        return exp(-s->gamma * sum);
    case POLY:
        return pow(s->gamma * dot_floats(x, v, s->n_features) + s->coef0, s->degree);
    case SIGMOID:
        return tanh(s->gamma * dot_floats(x, v, s->n_features) + s->coef0);
    case LINEAR:
        break;
    }
    return dot_floats(x, v, s->n_features);
}

/* --- SVMRegressor --- */

static int svm_regressor_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                               struct mc_error *err)
{
    int64_t n, n_features;
    const int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc < 0) return rc;
    out[0] = (struct mc_fact){.dtype = MC_FLOAT, .shape = {.rank = 2, .dim = {n, 1}}};
    return MC_OK;
}

static int svm_regressor_evaluate(struct mc_call *call, struct mc_error *err)
{
    const struct mc_node *node = call->node;
    const int64_t n_vectors = mc_node_int(node, "n_supports", 0);
    struct mc_ml_rows rows;
    struct svm s;
    enum mc_ml_post post;
    const float *weights = NULL, *rho = NULL;
    double *scores = NULL;
    int rc = mc_ml_rows_init(&rows, call, err);
    if (rc == MC_OK && n_vectors < 0) rc = mc_error_set(err, MC_ERR_INPUT, "attribute 'n_supports': is negative");
    if (rc == MC_OK) rc = svm_init(&s, node, n_vectors, rows.n_features, err);
    if (rc == MC_OK) rc = need_floats(node, "coefficients", n_vectors ? n_vectors : rows.n_features, &weights, err);
    if (rc == MC_OK) rc = need_floats(node, "rho", 1, &rho, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&post, node, err);
    if (rc == MC_OK && !(scores = MC_NEW_ARRAY(double, rows.n + 1))) rc = mc_error_memory(err);
    for (int64_t i = 0; i < rows.n && rc == MC_OK; i++) {
        const double *x = rows.at + i * rows.n_features;
        double sum = (double)rho[0];
        for (int64_t k = 0; k < n_vectors; k++) sum += (double)weights[k] * kernel(&s, x, s.vectors + k * s.n_features);
        if (!n_vectors) sum += dot_floats(x, weights, rows.n_features);
        scores[i] = mc_node_int(node, "one_class", 0) ? (sum > 0 ? 1 : -1) : sum;
        mc_ml_transform(post, &scores[i], 1);
    }
    const struct mc_shape shape = {.rank = 2, .dim = {rows.n, 1}};
    if (rc == MC_OK) rc = mc_ml_floats_item(scores, &shape, &call->out[0], err);
    mc_free(scores);
    mc_ml_rows_finish(&rows);
    return rc;
}

/* --- SVMClassifier --- */

struct svc {
    struct svm svm;
    int64_t n_classes, n_pairs;
    const int64_t *per_class; /* support vectors of each class */
    const float *weights;     /* [n_classes - 1, n_vectors]; without vectors [n_classes, n_features] */
    const float *rho, *a, *b; /* a, b: of the logistic curves; NULL: no probabilities */
    int64_t n_labels;
    enum mc_ml_post post;
    double *kernels, *pairs, *votes; /* [n_vectors], [n_pairs], [n_classes] */
    double *r, *q, *qp;              /* coupling: [n_classes, n_classes] twice, [n_classes] */
};

static int64_t pairs_of(int64_t n)
{
    return n * (n - 1) / 2;
}

static int svc_init(struct svc *s, const struct mc_node *node, int64_t n_labels, int64_t n_features,
                    struct mc_error *err)
{
    int64_t n_vectors = 0, n_probabilities, n_classes;
    *s = (struct svc){.n_labels = n_labels};
    s->per_class = mc_node_ints(node, "vectors_per_class", &n_classes);
    for (int64_t i = 0; i < n_classes; i++)
        if (s->per_class[i] < 0 || !mc_add_i64(n_vectors, s->per_class[i], &n_vectors))
            return mc_error_set(err, MC_ERR_INPUT,
                                "attribute 'vectors_per_class': %" PRId64 " vectors of class %" PRId64, s->per_class[i],
                                i);
    s->n_classes = n_vectors ? n_classes : n_labels;
    s->n_pairs = n_vectors ? pairs_of(s->n_classes) : 0;
    int rc = svm_init(&s->svm, node, n_vectors, n_features, err);
    const int64_t n_weights = n_vectors ? (s->n_classes - 1) * n_vectors : s->n_classes * n_features;
    if (rc == MC_OK && s->n_classes != n_labels)
        rc = mc_error_set(err, MC_ERR_INPUT, "has vectors of %" PRId64 " classes and %" PRId64 " labels", s->n_classes,
                          n_labels);
    if (rc == MC_OK) rc = need_floats(node, "coefficients", n_weights, &s->weights, err);
    if (rc == MC_OK) rc = need_floats(node, "rho", n_vectors ? s->n_pairs : 1, &s->rho, err);
    mc_ml_floats(node, "prob_a", &n_probabilities);
    if (rc == MC_OK && n_probabilities) rc = need_floats(node, "prob_a", s->n_pairs, &s->a, err);
    if (rc == MC_OK && n_probabilities) rc = need_floats(node, "prob_b", s->n_pairs, &s->b, err);
    if (rc == MC_OK) rc = mc_ml_post_init(&s->post, node, err);
    if (rc < 0) return rc;
    s->kernels = MC_NEW_ARRAY(double, n_vectors + 1);
    s->pairs = MC_NEW_ARRAY(double, s->n_pairs + s->n_classes);
    s->votes = MC_NEW_ARRAY(double, s->n_classes);
    s->r = MC_NEW_ARRAY(double, s->n_classes * s->n_classes);
    s->q = MC_NEW_ARRAY(double, s->n_classes * s->n_classes);
    s->qp = MC_NEW_ARRAY(double, s->n_classes);
    return s->kernels && s->pairs && s->votes && s->r && s->q && s->qp ? MC_OK : mc_error_memory(err);
}

static void svc_finish(struct svc *s)
{
    mc_free(s->qp);
    mc_free(s->q);
    mc_free(s->r);
    mc_free(s->votes);
    mc_free(s->pairs);
    mc_free(s->kernels);
}

/* Each pair of classes has a machine of its own; the one that wins it gets a vote. */
static void compare_pairs(struct svc *s, const double *x)
{
    const int64_t n_vectors = s->svm.n_vectors;
    for (int64_t k = 0; k < n_vectors; k++) s->kernels[k] = kernel(&s->svm, x, s->svm.vectors + k * s->svm.n_features);
    memset(s->votes, 0, (size_t)s->n_classes * sizeof *s->votes);
    for (int64_t i = 0, pair = 0, first_i = 0; i < s->n_classes; first_i += s->per_class[i++])
        for (int64_t j = i + 1, first_j = first_i + s->per_class[i]; j < s->n_classes; first_j += s->per_class[j++]) {
            const float *of_i = s->weights + (j - 1) * n_vectors + first_i,
                        *of_j = s->weights + i * n_vectors + first_j;
            const double sum = (double)s->rho[pair] + dot_floats(s->kernels + first_i, of_i, s->per_class[i]) +
                               dot_floats(s->kernels + first_j, of_j, s->per_class[j]);
            s->pairs[pair++] = sum;
            s->votes[sum > 0 ? i : j]++;
        }
}

/* p such that p_i / (p_i + p_j) comes as near as can be to r_ij, by the iteration of Wu, Lin and Weng. */
static void couple_pairs(const struct svc *s, double *p)
{
    const int64_t k = s->n_classes, most = k > 100 ? k : 100;
    double *q = s->q, *qp = s->qp;
    const double *r = s->r;
    for (int64_t t = 0; t < k; t++) {
        p[t] = 1 / (double)k;
        q[t * k + t] = 0;
        for (int64_t j = 0; j < k; j++) {
            if (j == t) continue;
            q[t * k + t] += r[j * k + t] * r[j * k + t];
            q[t * k + j] = -r[j * k + t] * r[t * k + j];
        }
    }
    for (int64_t turn = 0; turn < most; turn++) {
        double pqp = 0, worst = 0;
        for (int64_t t = 0; t < k; t++) {
            qp[t] = 0;
            for (int64_t j = 0; j < k; j++) qp[t] += q[t * k + j] * p[j];
            pqp += p[t] * qp[t];
        }
        for (int64_t t = 0; t < k; t++) worst = fabs(qp[t] - pqp) > worst ? fabs(qp[t] - pqp) : worst;
        if (worst < 0.005 / (double)k) return;
        for (int64_t t = 0; t < k; t++) {
            const double step = (pqp - qp[t]) / q[t * k + t], scale = 1 / (1 + step);
            p[t] += step;
            pqp = (pqp + step * (step * q[t * k + t] + 2 * qp[t])) * scale * scale;
            for (int64_t j = 0; j < k; j++) {
                qp[j] = (qp[j] + step * q[t * k + j]) * scale;
                p[j] *= scale;
            }
        }
    }
}

static void probabilities(const struct svc *s, double *p)
{
    const int64_t k = s->n_classes;
    for (int64_t i = 0, pair = 0; i < k; i++)
        for (int64_t j = i + 1; j < k; j++, pair++) {
            double share = 1 - mc_ml_logistic(s->pairs[pair] * (double)s->a[pair] + (double)s->b[pair]);
            share = share < 1e-7 ? 1e-7 : share > 1 - 1e-7 ? 1 - 1e-7 : share;
            s->r[i * k + j] = share;
            s->r[j * k + i] = 1 - share;
        }
    couple_pairs(s, p);
}

static int64_t n_scores_of(const struct mc_node *node, int64_t n_labels)
{
    int64_t n_classes, n_probabilities;
    mc_node_ints(node, "vectors_per_class", &n_classes);
    mc_ml_floats(node, "prob_a", &n_probabilities);
    const int64_t n = n_classes && !n_probabilities ? pairs_of(n_classes) : n_labels;
    return n == 1 ? 2 : n;
}

/* One score of a pair stands for both classes. */
static void spread_single(const struct svc *s, double *scores)
{
    const double score = s->post == MC_POST_LOGISTIC ? mc_ml_logistic(scores[0]) : scores[0];
    scores[0] = s->post == MC_POST_NONE ? -score : 1 - score;
    scores[1] = score;
}

static int64_t classify(struct svc *s, const double *x, double *scores)
{
    const int64_t k = s->n_classes;
    if (!s->svm.n_vectors) {
        for (int64_t i = 0; i < k; i++)
            scores[i] = dot_floats(x, s->weights + i * s->svm.n_features, s->svm.n_features) + (double)s->rho[0];
        const int64_t label = mc_ml_largest(scores, k);
        mc_ml_transform(s->post, scores, k);
        return label;
    }
    compare_pairs(s, x);
    const int64_t label = mc_ml_largest(s->votes, k); /* also where there are probabilities */
    if (s->a) {
        probabilities(s, scores);
        return label;
    }
    memcpy(scores, s->pairs, (size_t)s->n_pairs * sizeof *scores);
    if (s->n_pairs == 1)
        spread_single(s, scores);
    else
        mc_ml_transform(s->post, scores, s->n_pairs);
    return label;
}

static int svm_classifier_shape(const struct mc_node *node, const struct mc_fact *const *in, struct mc_fact *out,
                                struct mc_error *err)
{
    struct mc_ml_labels labels;
    int64_t n, n_features;
    int rc = mc_ml_rows_shape(node, in, &n, &n_features, err);
    if (rc == MC_OK) rc = labels_of(node, &labels, err);
    if (rc < 0) return rc;
    if (labels.n < 2)
        return mc_error_set(err, MC_ERR_UNSUPPORTED, "needs two classes at least, has %" PRId64, labels.n);
    classifier_facts(&labels, n, n_scores_of(node, labels.n), out);
    return MC_OK;
}

static int svm_classifier_evaluate(struct mc_call *call, struct mc_error *err)
{
    struct mc_ml_labels labels;
    struct classification c;
    struct svc s = {0};
    int rc = labels_of(call->node, &labels, err);
    if (rc < 0) return rc;
    rc = classification_init(&c, call, n_scores_of(call->node, labels.n), err);
    if (rc == MC_OK) rc = svc_init(&s, call->node, labels.n, c.rows.n_features, err);
    for (int64_t i = 0; i < c.rows.n && rc == MC_OK; i++)
        c.of[i] = classify(&s, c.rows.at + i * c.rows.n_features, c.scores + i * c.n_scores);
    if (rc == MC_OK) rc = classification_give(&c, call, err);
    svc_finish(&s);
    classification_finish(&c);
    return rc;
}

MC_ML_OP(linear_classifier, "LinearClassifier", 1, 1, 1, 2)
MC_ML_OP(linear_regressor, "LinearRegressor", 1, 1, 1, 1)
MC_ML_OP(svm_classifier, "SVMClassifier", 1, 1, 1, 2)
MC_ML_OP(svm_regressor, "SVMRegressor", 1, 1, 1, 1)
