"""The transforms of Adam's family: running means of the gradient and of its square, and what is made of them.

All but AdaMax are one formula, update = (ahead · m + direct · g) / (root · √v + epsilon), and differ in its numbers,
which are made in float64 whatever the vectors are.
"""

from __future__ import annotations

import math

from dltrain.kernels.arrays import Array
from dltrain.optim.numbers import Value, at
from dltrain.optim.transforms import Kernels, Transform, Turn


def corrected(beta_1: float, beta_2: float, count: int, epsilon: float) -> tuple[float, ...]:
    """Adam's numbers at step `count`, which make up for means that started at 0.

    Example:
        >>> [round(number, 3) for number in corrected(0.9, 0.999, 1, 1e-8)]
        [0.9, 0.999, 10.0, 0.0, 31.623, 0.0]
    """
    return beta_1, beta_2, 1 / (1 - beta_1**count), 0.0, 1 / math.sqrt(1 - beta_2**count), epsilon


class ScaleByAdam(Transform):
    """Replace the update by its running mean over the root of the running mean of its square, bias corrected.

    m = beta_1 · m + (1 - beta_1) · update;  v = beta_2 · v + (1 - beta_2) · update²;
    update = (m / (1 - beta_1^t)) / (√(v / (1 - beta_2^t)) + epsilon)  at step t = 1, 2, …

    Parameters:
        beta_1: share of the first moment m that is kept
        beta_2: share of the second moment v that is kept
        epsilon: keeps the division finite

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015.
    """

    slots = ("first_moment", "second_moment")

    def __init__(self, beta_1: Value, beta_2: Value, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """The shares that are kept; ahead, direct, root, epsilon."""
        return corrected(at(self.beta_1, turn.moment), at(self.beta_2, turn.moment), turn.count, self.epsilon)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        kernels.scale_by_adam(update, *slots, *self.numbers(turn))


class ScaleByAmsgrad(Transform):
    """Adam with the largest second moment so far under the root, so that no step grows because gradients are forgotten.

    Parameters:
        beta_1: share of the first moment that is kept
        beta_2: share of the second moment that is kept
        epsilon: keeps the division finite

    Source: Reddi, Kale and Kumar, On the convergence of Adam and beyond, 2018.
    """

    slots = ("first_moment", "second_moment", "largest_moment")

    def __init__(self, beta_1: Value, beta_2: Value, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """Adam's."""
        return corrected(at(self.beta_1, turn.moment), at(self.beta_2, turn.moment), turn.count, self.epsilon)

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        kernels.scale_by_amsgrad(update, *slots, *self.numbers(turn))


class ScaleByNadam(Transform):
    """Adam with Nesterov's momentum, which itself warms up: μ_t = beta_1 · (1 - 0.96^(t · momentum_decay) / 2).

    Parameters:
        beta_1: share of the first moment that is kept, and what the momentum warms up to
        beta_2: share of the second moment that is kept
        epsilon: keeps the division finite
        momentum_decay: how fast it warms up

    Source: Dozat, Incorporating Nesterov momentum into Adam, 2016.
    """

    slots = ("first_moment", "second_moment")

    def __init__(self, beta_1: float, beta_2: Value, epsilon: float, momentum_decay: float) -> None:
        self.beta_1, self.beta_2, self.epsilon, self.momentum_decay = beta_1, beta_2, epsilon, momentum_decay
        self._product = (0, 1.0)  # (t, μ_1 · … · μ_t): multiplied up from the start after a resume, to the same bits

    def momentum(self, count: int) -> float:
        """μ_t."""
        return self.beta_1 * (1 - 0.5 * 0.96 ** (count * self.momentum_decay))

    def product(self, count: int) -> float:
        """μ_1 · … · μ_t."""
        done, product = self._product if self._product[0] <= count else (0, 1.0)
        for step in range(done + 1, count + 1):
            product *= self.momentum(step)
        self._product = (count, product)
        return product

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """The shares that are kept; ahead, direct, root, epsilon."""
        beta_2, product = at(self.beta_2, turn.moment), self.product(turn.count)
        now, after = self.momentum(turn.count), self.momentum(turn.count + 1)
        ahead, direct = after / (1 - product * after), (1 - now) / (1 - product)
        return self.beta_1, beta_2, ahead, direct, 1 / math.sqrt(1 - beta_2**turn.count), self.epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        kernels.scale_by_adam(update, *slots, *self.numbers(turn))


class ScaleByRadam(Transform):
    """Adam whose steps are rectified: as long as v is made of too few gradients to be trusted, m alone is taken.

    Parameters:
        beta_1: share of the first moment that is kept
        beta_2: share of the second moment that is kept
        epsilon: keeps the division finite

    Source: Liu et al., On the variance of the adaptive learning rate and beyond, 2020.
    """

    slots = ("first_moment", "second_moment")

    def __init__(self, beta_1: Value, beta_2: Value, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def numbers(self, turn: Turn) -> tuple[float, ...]:
        """The shares that are kept; ahead, direct, root, epsilon: a root of 0 and an epsilon of 1 leave m alone."""
        beta_1, beta_2, t = at(self.beta_1, turn.moment), at(self.beta_2, turn.moment), turn.count
        ahead, left = 1 / (1 - beta_1**t), beta_2**t
        most = 2 / (1 - beta_2) - 1
        length = most - 2 * t * left / (1 - left)  # of the mean, in gradients
        if length <= 5:
            return beta_1, beta_2, ahead, 0.0, 0.0, 1.0
        rectified = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        root = 1 / math.sqrt(1 - left)
        return beta_1, beta_2, ahead * math.sqrt(rectified), 0.0, root, self.epsilon * root

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        kernels.scale_by_adam(update, *slots, *self.numbers(turn))


class ScaleByAdamax(Transform):
    """Adam with the largest recent gradient in place of the root of the mean square.

    m = beta_1 · m + (1 - beta_1) · update;  u = max(beta_2 · u, |update| + epsilon);  update = m / (1 - beta_1^t) / u

    Parameters:
        beta_1: share of the first moment that is kept
        beta_2: share of the largest gradient that is kept
        epsilon: keeps the division finite

    Source: Kingma and Ba, Adam: a method for stochastic optimization, 2015, section 7.1.
    """

    slots = ("first_moment", "largest_gradient")

    def __init__(self, beta_1: Value, beta_2: Value, epsilon: float) -> None:
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def apply(self, kernels: Kernels, update: Array, slots: list[Array], turn: Turn) -> None:
        """Replace the update."""
        beta_1, beta_2 = at(self.beta_1, turn.moment), at(self.beta_2, turn.moment)
        ahead = 1 / (1 - beta_1**turn.count)
        kernels.scale_by_adamax(update, *slots, beta_1, beta_2, ahead, self.epsilon)
