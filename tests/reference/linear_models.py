#!/usr/bin/env python3
"""The tables of models/linear, and what tests/recipe/test_linear.c compares the recipes beside them with.

    pip install numpy scikit-learn
    linear_models.py models/linear      writes the tables, prints C initializers
"""
import sys

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression, Ridge

FOLDER = sys.argv[1]
N, L2 = 240, 0.1


def write(name, X, head, last):
    with open(f"{FOLDER}/{name}", "w", encoding="ascii") as file:
        file.write(",".join(f"x{i + 1}" for i in range(X.shape[1])) + f",{head}\n")
        for x, y in zip(X, last):
            file.write(",".join(f"{v:.4f}" for v in x) + f",{y}\n")


rng = np.random.default_rng(7)
X = rng.normal(size=(N, 4))
X[:, 1] = 0.8 * X[:, 0] + 0.6 * X[:, 1]  # two of them correlate, which is what a ridge is for
X[:, 3] *= 3
X = np.round(X, 4)
y = np.round(X @ [1.5, -2.0, 0.5, 0.25] + 3 + rng.normal(scale=0.5, size=N), 4)
write("ridge.csv", X, "y", [f"{v:.4f}" for v in y])
label = (X @ [1.0, -1.5, 2.0, 0.2] - 0.5 + rng.logistic(size=N) > 0).astype(int)
write("logistic.csv", X, "label", ["yes" if v else "no" for v in label])

# The recipes make mean squared error + l2/2 |w|^2 small: Ridge has the sum of squares + alpha |w|^2, so alpha = N l2/2.
ridge = Ridge(alpha=N * L2 / 2, solver="cholesky").fit(X, y)
# and mean cross-entropy + l2/2 |w|^2: LogisticRegression has C times the sum + |w|^2/2, so C = 1 / (N l2).
logistic = LogisticRegression(C=1 / (N * L2), tol=1e-12, max_iter=10000).fit(X, label)
print(f"scikit-learn {sklearn.__version__}")
for name, w, b in ("ridge", ridge.coef_, ridge.intercept_), ("logistic", logistic.coef_[0], logistic.intercept_[0]):
    print(f"{name}: " + ", ".join(f"{v:.9f}" for v in (*w, b)))
