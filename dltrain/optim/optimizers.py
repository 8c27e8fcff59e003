"""Optimizers by their names: what each does to the gradient.  Defaults are PyTorch's, but where a line says otherwise.

A function returns a chain of transforms; the parameters that all optimizers share are added by `optimizer`.
"""

from __future__ import annotations

from dltrain.optim.adam_family import ScaleByAdam, ScaleByAdamax, ScaleByAmsgrad, ScaleByNadam, ScaleByRadam
from dltrain.optim.naming import optimizer
from dltrain.optim.transforms import (
    Momentum,
    RunningMean,
    ScaleByAdadelta,
    ScaleByLion,
    ScaleByRms,
    ScaleBySum,
    Transform,
)
from dltrain.types import Epsilon, NonNegativeFloat, Rate, ScheduledRate


@optimizer("gradient_descent")
def gradient_descent() -> list[Transform]:
    """w = w - learning_rate · gradient.

    Over all examples at once it is batch descent (`train.batch_size: all`), over one stochastic descent (1), over a
    few mini-batch descent.

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(gradient_descent(0.1), lambda w: 2 * w, start=[1.0])  # 1 - 0.1 · 2
        [0.8]

    Source: Cauchy, Méthode générale pour la résolution des systèmes d'équations simultanées, 1847.
    """
    return []


@optimizer("momentum")
def momentum(momentum: ScheduledRate = 0.9, nesterov: bool = False) -> list[Transform]:
    """v = momentum · v + gradient;  w = w - learning_rate · v.

    Parameters:
        momentum: share of the velocity v that is kept
        nesterov: w = w - learning_rate · (gradient + momentum · v) instead

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(momentum(0.1, momentum=0.5), lambda w: 1 + 0 * w, start=[1.0], steps=2)  # 1 - 0.1 - 0.1 · 1.5
        [0.75]

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; Sutskever et al. 2013.
    """
    return [Momentum(momentum, nesterov)]


@optimizer("averaged_momentum")
def averaged_momentum(momentum: ScheduledRate = 0.9, bias_correction: bool = False) -> list[Transform]:
    """v = momentum · v + (1 - momentum) · gradient;  w = w - learning_rate · v: an exponentially weighted average.

    It is `momentum` with a rate that is 1 - momentum times as large.  The average starts at 0; the correction divides
    it by 1 - momentum^t, so that the first steps are as long as the later ones.

    Parameters:
        momentum: share of the average v that is kept: about 1 / (1 - momentum) gradients are averaged
        bias_correction: make up for the start at 0

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(averaged_momentum(0.1, momentum=0.5), lambda w: 1 + 0 * w, start=[1.0], steps=2)
        [0.875]
        >>> corrected = averaged_momentum(0.1, momentum=0.5, bias_correction=True)
        >>> minimize(corrected, lambda w: 1 + 0 * w, start=[1.0], steps=2)
        [0.8]

    Source: Polyak, Some methods of speeding up the convergence of iteration methods, 1964; the correction: Kingma and
        Ba 2015.
    """
    return [RunningMean(momentum, bias_correction)]


@optimizer("adagrad")
def adagrad(initial_accumulator_value: NonNegativeFloat = 0.0, epsilon: Epsilon = 1e-10) -> list[Transform]:
    """s = s + gradient²;  w = w - learning_rate · gradient / (√s + epsilon): rare features keep long steps.

    Parameters:
        initial_accumulator_value: what s starts from
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(adagrad(0.1), lambda w: 3 + 0 * w, start=[1.0], steps=2)  # 1 - 0.1 - 0.1 / √2
        [0.829289]

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and stochastic optimization, 2011.
    """
    return [ScaleBySum(initial_accumulator_value, epsilon)]


@optimizer("adadelta", learning_rate=1.0)
def adadelta(rho: ScheduledRate = 0.95, epsilon: Epsilon = 1e-6) -> list[Transform]:
    """w = w - learning_rate · √(d + epsilon) / √(s + epsilon) · gradient, d and s running means of step² and gradient².

    The steps have the unit of w, so the learning rate is 1.  All defaults are the paper's; Keras' rate of 0.001 is very
    slow.

    Parameters:
        rho: share of the running means that is kept
        epsilon: starts the steps, and keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(adadelta(), lambda w: 2 + 0 * w, start=[1.0])  # √(1e-6 / (0.05 · 4)) · 2
        [0.995528]

    Source: Zeiler, ADADELTA: an adaptive learning rate method, 2012.
    """
    return [ScaleByAdadelta(rho, epsilon)]


@optimizer("rmsprop", learning_rate=0.001)
def rmsprop(rho: ScheduledRate = 0.9, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """s = rho · s + (1 - rho) · gradient²;  w = w - learning_rate · gradient / (√s + epsilon).

    Learning rate and rho are Keras' and the lecture's.

    Parameters:
        rho: share of the running mean of squares s that is kept
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(rmsprop(0.1, rho=0.75), lambda w: 2 * w, start=[1.0])  # s = 0.25 · 2² = 1;  1 - 0.1 · 2 / √1
        [0.8]

    Source: Tieleman and Hinton, Lecture 6.5: RMSProp, 2012.
    """
    return [ScaleByRms(rho, epsilon)]


@optimizer("adam", learning_rate=0.001)
def adam(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.999, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """w = w - learning_rate · m / (√v + epsilon), m and v running means of gradient and gradient², bias corrected.

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(adam(0.1), lambda w: 2 * w, start=[1.0])  # the first step is as long as the rate
        [0.9]

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """
    return [ScaleByAdam(beta_1, beta_2, epsilon)]


@optimizer("adamw", learning_rate=0.001, weight_decay=0.01)
def adamw(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.999, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """Adam with decoupled weight decay: w = w - learning_rate · (m / (√v + epsilon) + weight_decay · w).

    It is `adam` with another default of `weight_decay`, under the name that the field knows.  Only kernels decay.

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(adamw(0.1, weight_decay=0.5), lambda w: 2 * w, start=[1.0])  # 1 - 0.1 · (2 / √4 + 0.5 · 1)
        [0.85]

    Source: Loshchilov and Hutter, Decoupled weight decay regularization, 2019.
    """
    return [ScaleByAdam(beta_1, beta_2, epsilon)]


@optimizer("amsgrad", learning_rate=0.001)
def amsgrad(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.999, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """Adam with the largest v so far under the root: w = w - learning_rate · m / (√max(v) + epsilon).

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(amsgrad(0.1), lambda w: 2 * w, start=[1.0])
        [0.9]

    Source: Reddi, Kale and Kumar, On the convergence of Adam and beyond, 2018.
    """
    return [ScaleByAmsgrad(beta_1, beta_2, epsilon)]


@optimizer("nadam", learning_rate=0.002)
def nadam(
    beta_1: Rate = 0.9,
    beta_2: ScheduledRate = 0.999,
    epsilon: Epsilon = 1e-8,
    momentum_decay: NonNegativeFloat = 0.004,
) -> list[Transform]:
    """Adam with Nesterov's momentum, μ_t = beta_1 · (1 - 0.96^(t · momentum_decay) / 2), which warms up by itself.

    w = w - learning_rate · (μ_{t+1} m / (1 - μ_1 … μ_{t+1}) + (1 - μ_t) gradient / (1 - μ_1 … μ_t)) / (√v + epsilon)

    Parameters:
        beta_1: share of the first moment m that is kept; no schedule, since the momentum has its own
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite
        momentum_decay: how fast the momentum warms up

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(nadam(0.1), lambda w: 2 * w, start=[1.0])
        [0.894355]

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """
    return [ScaleByNadam(beta_1, beta_2, epsilon, momentum_decay)]


@optimizer("radam", learning_rate=0.001)
def radam(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.999, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """Adam whose first steps are those of its momentum alone, until v can be trusted: a warm-up without a setting.

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(radam(0.1), lambda w: 2 * w, start=[1.0])  # 1 - 0.1 · 2
        [0.8]

    Source: Liu et al., On the variance of the adaptive learning rate and beyond, 2020.
    """
    return [ScaleByRadam(beta_1, beta_2, epsilon)]


@optimizer("adamax", learning_rate=0.002)
def adamax(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.999, epsilon: Epsilon = 1e-8) -> list[Transform]:
    """Adam with the largest recent gradient u in place of √v: w = w - learning_rate · m / u, m bias corrected.

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of u that is kept: u = max(beta_2 · u, |gradient| + epsilon)
        epsilon: keeps the division finite

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(adamax(0.1), lambda w: 2 * w, start=[1.0])
        [0.9]

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1.
    """
    return [ScaleByAdamax(beta_1, beta_2, epsilon)]


@optimizer("lion", learning_rate=0.0001)
def lion(beta_1: ScheduledRate = 0.9, beta_2: ScheduledRate = 0.99) -> list[Transform]:
    """w = w - learning_rate · sign(beta_1 · m + (1 - beta_1) · gradient);  m = beta_2 · m + (1 - beta_2) · gradient.

    Every element moves by the whole rate, so the rate is three to ten times smaller than Adam's and the decay as much
    larger.  Defaults are the paper's.

    Parameters:
        beta_1: share of m in the mean whose sign is taken
        beta_2: share of m that is kept

    Example:
        >>> from dltrain.optim import minimize
        >>> minimize(lion(0.1), lambda w: 2 * w, start=[1.0, -3.0])
        [0.9, -2.9]

    Source: Chen et al., Symbolic discovery of optimization algorithms, 2023.
    """
    return [ScaleByLion(beta_1, beta_2)]
