"""Baselines that keep training samples: the nearest neighbours, and support vectors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge

from dltrain.baselines.fitting import ALL
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, PositiveFloat, PositiveInt


@register("baseline", "k_nearest_neighbors")
class KNearestNeighbors:
    """What the k nearest training samples say: shares of their classes, or the mean of their values.

    Nothing is learned but the samples, so fitting is quick and asking is slow.  Features should be of one scale.

    Parameters:
        n_neighbors: k
        weights: whether all k count alike, or by the inverse of their distance
        p: of the distance (Σ|a - b|^p)^(1/p): 1 is Manhattan, 2 Euclidean

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[0.0], [1.0], [2.0], [9.0]]), np.array([0, 0, 1, 1])
        >>> fit(KNearestNeighbors(3), x, y, "classes", seed=0).said(np.array([[0.5]])).round(4).tolist()
        [[0.6667, 0.3333]]

    Source: Cover, Hart: Nearest neighbor pattern classification, 1967.
    """

    needs = ALL
    scores, single_output, work = "predict_proba", False, (2e-11, 2.0)

    def __init__(
        self,
        n_neighbors: PositiveInt = 5,
        weights: Literal["uniform", "distance"] = "uniform",
        p: Annotated[float, Ge(1)] = 2.0,
    ) -> None:
        self.n_neighbors, self.weights, self.p = n_neighbors, weights, p

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import neighbors

        make = neighbors.KNeighborsRegressor if needs == "values" else neighbors.KNeighborsClassifier
        return make(self.n_neighbors, weights=self.weights, p=self.p)


@register("baseline", "svm")
class SupportVectorMachine:
    """The widest margin between classes, or the flattest tube around values, in the feature space of a kernel.

    Classes: C-SVM, one against one for more than two.  Its decision values are taken as logits: the class is that of
    scikit-learn with `break_ties`, while loss and probabilities, which a support vector machine does not have, are
    not calibrated.  Values: ε-SVR.  The time of a fit grows with the square of the samples and more.  Features should
    be standardized.

    Parameters:
        C: price of a sample inside the margin: the larger, the closer to the training data
        kernel: linear x·z, poly (γ x·z + coef0)^degree, rbf exp(-γ‖x - z‖²), sigmoid tanh(γ x·z + coef0)
        degree: of the poly kernel
        gamma: γ: a number, scale for 1 / (D variance of x), or auto for 1 / D
        coef0: of the kernels poly and sigmoid
        epsilon: half the width of the tube without cost, for values only

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[0.0, 0], [1, 1], [0, 1], [1, 0]]), np.array([0, 0, 1, 1])
        >>> (fit(SupportVectorMachine(10.0), x, y, "binary", seed=0).outputs(x) > 0).ravel().tolist()    # XOR
        [False, False, True, True]

    Source: Cortes, Vapnik: Support-vector networks, 1995.
    """

    needs = ALL
    scores, single_output, work = "decision_function", True, (5e-10, 2.0)
    # parameter: what it depends on, and the values of that which let it have an effect
    effects = {
        "degree": ("kernel", ("poly",)),
        "gamma": ("kernel", ("poly", "rbf", "sigmoid")),
        "coef0": ("kernel", ("poly", "sigmoid")),
        "epsilon": ("task", ("regression",)),
    }

    def __init__(
        self,
        C: PositiveFloat = 1.0,
        kernel: Literal["linear", "poly", "rbf", "sigmoid"] = "rbf",
        degree: PositiveInt = 3,
        gamma: PositiveFloat | Literal["scale", "auto"] = "scale",
        coef0: float = 0.0,
        epsilon: NonNegativeFloat = 0.1,
    ) -> None:
        self.C, self.kernel, self.degree, self.gamma = C, kernel, degree, gamma
        self.coef0, self.epsilon = coef0, epsilon

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import svm

        kernel = {"C": self.C, "kernel": self.kernel, "degree": self.degree, "gamma": self.gamma, "coef0": self.coef0}
        if needs == "values":
            return svm.SVR(**kernel, epsilon=self.epsilon)
        return svm.SVC(**kernel)
