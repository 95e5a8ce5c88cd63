#!/usr/bin/env python3
"""Numbers that tests/train/test_optimizer.c and test_loss.c compare with, by PyTorch.

    pip install torch
    train_numbers.py            prints C initializers
"""
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)  # far below the tolerance of what is compared


def optimizers():
    """Five steps from w = (0.5, -1, 2, -0.25); the gradient of element i at step t is sin(4 t + i + 1)."""
    makers = {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
        "sgd, l2": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.3),
        "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "momentum, l2": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.3),
        "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.99, eps=1e-6),
        "rmsprop, l2": lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.99, eps=1e-6, weight_decay=0.3),
        "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.99), eps=1e-6),
        "adam, l2": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.3),
    }
    for name, make in makers.items():
        w = torch.tensor([[0.5, -1.0, 2.0, -0.25]], requires_grad=True)
        optimizer = make([w])
        print(f"    /* {name} */ {{")
        for t in range(5):
            w.grad = torch.tensor([[math.sin(4 * t + i + 1) for i in range(4)]])
            optimizer.step()
            print("        {" + ", ".join(f"{x.item():.9f}" for x in w[0]) + "},")
        print("    },")


def show(name, value, gradient):
    print(f"{name}: {value.item():.12f}")
    print("    " + ", ".join(f"{x.item():.10f}" for x in gradient.flatten()))


def losses():
    """Scores z[i] = 3 sin(i + 1) in two rows of three, the teacher's 3 cos(i), labels 2 and 0; gradients of the mean."""
    z = torch.tensor([3 * math.sin(i + 1) for i in range(6)]).reshape(2, 3).requires_grad_()
    teacher = torch.tensor([3 * math.cos(i) for i in range(6)]).reshape(2, 3)
    labels = torch.tensor([2, 0])

    def grad(loss):
        return torch.autograd.grad(loss, z)[0]

    hard = F.cross_entropy(z, labels)
    show("cross-entropy", hard, grad(hard))
    mse = F.mse_loss(z, teacher)
    show("mse", mse, grad(mse))
    T, alpha = 2.0, 0.3
    soft = F.kl_div(F.log_softmax(z / T, 1), F.softmax(teacher / T, 1), reduction="batchmean")
    both = (1 - alpha) * F.cross_entropy(z, labels) + alpha * T * T * soft
    show("distillation", both, grad(both))
    one = z[:, :1]
    binary = F.binary_cross_entropy_with_logits(one[:, 0], torch.tensor([1.0, 0.0]))
    show("logistic", binary, grad(binary))


print(f"torch {torch.__version__}")
optimizers()
losses()
