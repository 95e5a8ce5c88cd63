#!/usr/bin/env python3
"""Numbers that tests/train/test_optimizer.c, test_loss.c, test_rate.c and test_relation.c compare with, by PyTorch and timm.

    pip install torch timm
    train_numbers.py            prints C initializers
"""
import math

import timm.optim
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
        "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        "nesterov, l2": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.3),
        "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-6),
        "adagrad, l2": lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-6, weight_decay=0.3),
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.3),
        "lamb (timm)": lambda p: timm.optim.Lamb(p, lr=0.1, betas=(0.9, 0.99), eps=1e-6, weight_decay=0.3,
                                                 max_grad_norm=None),
        "lion (timm)": lambda p: timm.optim.Lion(p, lr=0.1, betas=(0.9, 0.99), weight_decay=0.3),
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


def clipping():
    """The last of five steps of SGD as above, the gradients clipped."""
    for name, clip in {
        "norm 1": lambda w: torch.nn.utils.clip_grad_norm_([w], 1.0),
        "value 0.5": lambda w: torch.nn.utils.clip_grad_value_([w], 0.5),
    }.items():
        w = torch.tensor([[0.5, -1.0, 2.0, -0.25]], requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        for t in range(5):
            w.grad = torch.tensor([[math.sin(4 * t + i + 1) for i in range(4)]])
            clip(w)
            optimizer.step()
        print(f"clipped by {name}: " + ", ".join(f"{x.item():.9f}" for x in w[0]))


def rates():
    """Rates of 12 steps from 0.5 by PyTorch's schedulers; an epoch has 3 steps where they count epochs."""
    def run(make, per_epoch=False, losses=None):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        scheduler = make(optimizer)
        seen = []
        for step in range(12):
            seen.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if losses:
                scheduler.step(losses[step])
            elif not per_epoch or step % 3 == 2:
                scheduler.step()
        return ", ".join(f"{x:.12g}" for x in seen)

    S = torch.optim.lr_scheduler
    print("step       ", run(lambda o: S.StepLR(o, 2, 0.1), True))
    print("milestones ", run(lambda o: S.MultiStepLR(o, [1, 3], 0.1), True))
    print("exponential", run(lambda o: S.ExponentialLR(o, 0.9), True))
    print("linear     ", run(lambda o: S.LinearLR(o, 1.0, 0.2, 12)))
    print("cosine     ", run(lambda o: S.CosineAnnealingLR(o, 12, 0.1)))
    print("one-cycle  ", run(lambda o: S.OneCycleLR(o, 0.5, 12, cycle_momentum=False)))
    losses = [1, 0.9, 0.95, 0.9, 0.8, 0.79999, 0.79999, 0.79999, 0.7, 0.75, 0.75, 0.75]
    print("plateau    ", run(lambda o: S.ReduceLROnPlateau(o, factor=0.5, patience=1), losses=losses))


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
    for name, loss in {
        "smoothed": F.cross_entropy(z, labels, label_smoothing=0.1),
        "weighted": F.cross_entropy(z, labels, torch.tensor([1.0, 2.0, 0.5]), reduction="sum") / 2,
        "weighted, smoothed": F.cross_entropy(z, labels, torch.tensor([1.0, 2.0, 0.5]), reduction="sum",
                                              label_smoothing=0.1) / 2,
        "soft": F.cross_entropy(z, F.softmax(teacher, 1)),
        "soft, smoothed": F.cross_entropy(z, F.softmax(teacher, 1), label_smoothing=0.1),
        "kl": F.kl_div(F.log_softmax(z, 1), F.softmax(teacher, 1), reduction="batchmean"),
        "mae": F.l1_loss(z, teacher),
        "huber": F.huber_loss(z, teacher, delta=0.75),
        "bce": F.binary_cross_entropy_with_logits(z, torch.sigmoid(teacher)),
        "mae, distilled": 0.7 * F.l1_loss(z, torch.zeros(2, 3)) + 0.3 * F.l1_loss(z, teacher),
        "bce, distilled": 0.7 * F.binary_cross_entropy_with_logits(z, torch.eye(3)[labels])
                          + 0.3 * F.binary_cross_entropy_with_logits(z, torch.sigmoid(teacher)),
    }.items():
        show(name, loss, grad(loss))
    one = z[:, :1]
    binary = F.binary_cross_entropy_with_logits(one[:, 0], torch.tensor([1.0, 0.0]))
    show("logistic", binary, grad(binary))


def features():
    """Losses between features, four samples: attention and relational distillation as their authors' code has them."""
    def value(*shape, f):
        return torch.tensor([f(i) for i in range(math.prod(shape))]).reshape(shape).requires_grad_()

    s = value(4, 2, 3, f=lambda i: 2 * math.sin(i + 1))
    t = value(4, 3, 3, f=lambda i: 2 * math.cos(i))

    def at(x):
        return F.normalize(x.pow(2).sum(1), dim=1)

    loss = (at(s) - at(t)).pow(2).mean(1).sum()
    show("attention", loss, torch.autograd.grad(loss, s)[0])
    a, b = value(4, 3, f=lambda i: 3 * math.sin(2 * i + 1)), value(4, 2, f=lambda i: 3 * math.cos(i * i))

    def pdist(e):
        square = e.pow(2).sum(1)
        prod = e @ e.t()
        return ((square.unsqueeze(1) + square.unsqueeze(0) - 2 * prod).clamp(min=1e-30).sqrt()
                * (1 - torch.eye(len(e))))

    def scaled(e):
        d = pdist(e)
        return d / d[d > 0].mean()

    loss = 4 * F.smooth_l1_loss(scaled(a), scaled(b))
    show("distance", loss, torch.autograd.grad(loss, a)[0])

    def angles(e):
        d = F.normalize(e.unsqueeze(0) - e.unsqueeze(1), p=2, dim=2)
        return torch.bmm(d, d.transpose(1, 2)).view(-1)

    loss = 4 * F.smooth_l1_loss(angles(a), angles(b))
    show("angle", loss, torch.autograd.grad(loss, a)[0])


print(f"torch {torch.__version__}")
optimizers()
clipping()
rates()
losses()
features()
