#!/usr/bin/env python3
"""Print tests/metric/expected.h: what scikit-learn makes of a few sets of scores, and scipy of paired answers.

    metric_numbers.py > tests/metric/expected.h

Needs numpy 2.4.6, scikit-learn 1.9.1, scipy 1.17.1.
"""

import warnings

import numpy as np
from scipy import optimize, stats
from sklearn import metrics as sk

warnings.simplefilter("ignore")
rng = np.random.default_rng(5)


def floats(name, values):
    text = ", ".join(float.hex(float(v)) + "F" for v in np.asarray(values, np.float32).ravel())
    print(f"static const float {name}[] = {{{text}}};")


def integers(name, values):
    print(f"static const int64_t {name}[] = {{{', '.join(str(int(v)) for v in np.ravel(values))}}};")


def doubles(name, values):
    print(f"static const double {name}[] = {{{', '.join(repr(float(v)) for v in np.ravel(values))}}};")


def averages(y, predicted, labels=None):
    """Precision, recall, F1: macro, micro, weighted of each."""
    return [
        f(y, predicted, average=how, zero_division=0)
        for f in (sk.precision_score, sk.recall_score, sk.f1_score)
        for how in ("macro", "micro", "weighted")
    ]


def groups(y, predicted):
    return np.stack(sk.precision_recall_fscore_support(y, predicted, zero_division=0)[:3], axis=1)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def classes(name, n, k):
    z = np.round(rng.normal(size=(n, k)) * 2, 1).astype(np.float32)  # rounded: some are equal
    y = rng.integers(0, k, n)
    z[np.arange(n), y] += 1.5
    p = softmax(z.astype(np.float64))
    predicted = z.argmax(axis=1)
    floats(f"{name}_scores", z)
    integers(f"{name}_classes", y)
    auc = [sk.roc_auc_score(y == c, np.log(p[:, c])) for c in range(k)]
    mean_auc = auc[1] if k == 2 else sk.roc_auc_score(y, p, multi_class="ovr", labels=range(k))
    doubles(f"{name}_averages", averages(y, predicted))
    doubles(f"{name}_groups", np.column_stack([groups(y, predicted), auc]))
    first = z - 1e-4 * np.arange(k)  # of equal scores the first is the higher
    top = sk.top_k_accuracy_score(y, first, k=5, labels=range(k)) if k > 5 else 0
    doubles(f"{name}_rest", [sk.accuracy_score(y, predicted), top, sk.log_loss(y, p, labels=range(k)), mean_auc])


def labels(n, k):
    z = rng.normal(size=(n, k)).astype(np.float32)
    y = (rng.random((n, k)) < 0.4).astype(np.float32)
    z += y
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    said = z > 0
    floats("labels_scores", z)
    floats("labels_targets", y)
    doubles("labels_averages", averages(y, said))
    auc = [sk.roc_auc_score(y[:, c], z[:, c]) for c in range(k)]
    doubles("labels_groups", np.column_stack([groups(y, said), auc]))
    loss = np.mean([sk.log_loss(y[:, c], p[:, c]) for c in range(k)])
    doubles("labels_rest", [sk.accuracy_score(y, said), loss, sk.roc_auc_score(y, z)])


def numbers(n, k):
    y = (rng.normal(size=(n, k)) * [1, 10, 0.1] + [5, -100, 1000]).astype(np.float32)
    out = (y + rng.normal(size=(n, k)) * [0.3, 2, 0.05]).astype(np.float32)
    floats("numbers_outputs", out)
    floats("numbers_targets", y)
    y, out = y.astype(np.float64), out.astype(np.float64)
    of = [sk.mean_squared_error, sk.root_mean_squared_error, sk.mean_absolute_error, sk.r2_score]
    doubles("numbers_rest", [f(y, out) for f in of])
    doubles("numbers_groups", np.stack([f(y, out, multioutput="raw_values") for f in of], axis=1))


def tango(n, first, second, confidence):
    """The d at which the score statistic is +-z, with the nuisance share found by maximizing the likelihood."""

    def score(d):
        def minus_log_likelihood(q):  # q: share that only the first has right; q + d: only the second
            rest = 1 - 2 * q - d
            terms = [(second, q + d), (first, q), (n - first - second, rest)]
            return -sum(c * np.log(max(p, 1e-300)) for c, p in terms)

        low, high = max(0, -d), (1 - d) / 2
        q = optimize.minimize_scalar(minus_log_likelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
        return (second - first - n * d) / np.sqrt(n * (2 * q + d - d * d))

    z = stats.norm.ppf(1 - (1 - confidence) / 2)
    d = (second - first) / n
    return [optimize.brentq(lambda x: score(x) - t, a, b) for t, a, b in [(z, -0.99, d), (-z, d, 0.99)]]


def pairs():
    rows = []
    for n, first, second in [(100, 10, 4), (1000, 31, 12), (50, 0, 3), (10000, 150, 150), (40, 12, 1)]:
        few = min(first, second)
        exact = stats.binomtest(few, first + second).pvalue
        mid = 1 if first == second else 2 * stats.binom.cdf(few, first + second, 0.5) - stats.binom.pmf(few, first + second, 0.5)
        rows.append([n, first, second, exact, mid, *tango(n, first, second, 0.95), *tango(n, first, second, 0.9)])
    doubles("pairs", rows)


print("/* expected.h - what scikit-learn 1.9.1 and scipy 1.17.1 make of these; printed by tests/reference/metric_numbers.py. */")
print("#ifndef MC_TESTS_METRIC_EXPECTED_H\n#define MC_TESTS_METRIC_EXPECTED_H\n\n#include <stdint.h>\n")
classes("seven", 40, 7)
classes("two", 30, 2)
labels(30, 4)
numbers(25, 3)
pairs()
print("#endif")
