"""Expected numbers of tests/prune/test_surgeon.c: optimal brain surgery, column after column, by explicit inverses.

NumPy; no Cholesky factor, no blocks of columns (the matrix is one block): for each column the inverse of H over the
columns from it on is taken anew, which is what the factor's rows are a shortcut for.
"""
import numpy as np

ROWS, K, SAMPLES, SPARSITY = 3, 7, 20, 0.43


def numbers(n, a, b):
    """The same in C: integers, so that both sides start from the same numbers."""
    i = np.arange(n)
    return ((i * a + b) % 23 - 11) / 8.0


x = numbers(K * SAMPLES, 7, 3).reshape(K, SAMPLES) + np.arange(K)[:, None] * numbers(SAMPLES, 5, 1)[None, :]
w = numbers(ROWS * K, 13, 5).reshape(ROWS, K)
w[w == 0] = 0.3
h = x @ x.T
h = h + 0.01 * np.trace(h) / K * np.eye(K)
inverses = [np.linalg.inv(h[j:, j:]) for j in range(K)]

scores = np.array([[w[m, j] ** 2 / inverses[j][0, 0] for j in range(K)] for m in range(ROWS)])
n_zero = int(round(SPARSITY * ROWS * K))
gone = np.zeros(ROWS * K, bool)
gone[np.argsort(scores.ravel(), kind="stable")[:n_zero]] = True
gone = gone.reshape(ROWS, K)
for j in range(K):
    for m in range(ROWS):
        if gone[m, j]:
            w[m, j:] -= w[m, j] * inverses[j][0] / inverses[j][0, 0]
            w[m, j] = 0
print(", ".join("%.12g" % v for v in w.ravel()))
