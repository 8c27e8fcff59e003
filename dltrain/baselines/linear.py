"""Linear baselines: least squares, with L2 or L1 penalty, and logistic regression."""

from __future__ import annotations

from typing import Any

from dltrain.baselines.fitting import CLASSES
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, PositiveFloat, PositiveInt


@register("baseline", "linear_regression")
class LinearRegression:
    """Least squares: y = x W + b with the smallest Σ(y - t)², in closed form.

    Parameters:
        fit_intercept: whether there is a b

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x = np.array([[0.0], [1.0], [2.0]])
        >>> fit(LinearRegression(), x, 3 * x + 1, "values", seed=0).outputs(np.array([[10.0]])).round(6).tolist()
        [[31.0]]

    Source: Legendre, Nouvelles méthodes pour la détermination des orbites des comètes, 1805.
    """

    needs = ("values",)
    scores, single_output, work = "", False, (5e-9, 1.3)

    def __init__(self, fit_intercept: bool = True) -> None:
        self.fit_intercept = fit_intercept

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import linear_model

        return linear_model.LinearRegression(fit_intercept=self.fit_intercept)


@register("baseline", "ridge")
class Ridge:
    """Least squares with L2 penalty: the smallest Σ(y - t)² + alpha ‖W‖², in closed form.

    Parameters:
        alpha: strength of the penalty; features should be standardized, for it weighs all alike
        fit_intercept: whether there is a b, which is not penalised

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x = np.array([[-1.0], [0.0], [1.0]])
        >>> fit(Ridge(alpha=2.0), x, 4 * x, "values", seed=0).outputs(x).round(6).tolist()    # W = 8 / (2 + 2)
        [[-2.0], [0.0], [2.0]]

    Source: Hoerl, Kennard: Ridge regression, 1970.
    """

    needs = ("values",)
    scores, single_output, work = "", False, (5e-9, 1.3)

    def __init__(self, alpha: NonNegativeFloat = 1.0, fit_intercept: bool = True) -> None:
        self.alpha, self.fit_intercept = alpha, fit_intercept

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import linear_model

        return linear_model.Ridge(self.alpha, fit_intercept=self.fit_intercept)


@register("baseline", "lasso")
class Lasso:
    """Least squares with L1 penalty: the smallest Σ(y - t)² / 2N + alpha Σ|W|; many weights become 0.

    Parameters:
        alpha: strength of the penalty; features should be standardized, for it weighs all alike
        fit_intercept: whether there is a b, which is not penalised
        max_iter: rounds of coordinate descent

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x = np.array([[-1.0], [1.0]])
        >>> fit(Lasso(alpha=1.0), x, 3 * x, "values", seed=0).outputs(x).round(6).tolist()    # 3 shrinks by 1
        [[-2.0], [2.0]]

    Source: Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    """

    needs = ("values",)
    scores, single_output, work = "", False, (1e-8, 1.3)

    def __init__(self, alpha: PositiveFloat = 1.0, fit_intercept: bool = True, max_iter: PositiveInt = 1000) -> None:
        self.alpha, self.fit_intercept, self.max_iter = alpha, fit_intercept, max_iter

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import linear_model

        return linear_model.Lasso(self.alpha, fit_intercept=self.fit_intercept, max_iter=self.max_iter)


@register("baseline", "logistic_regression")
class LogisticRegression:
    """p(class | x) = softmax(x W + b), fitted by L-BFGS to the smallest C Σ cross-entropy + ‖W‖² / 2.

    Parameters:
        C: weight of the data against the penalty: the larger, the weaker the penalty
        fit_intercept: whether there is a b, which is not penalised
        max_iter: most iterations
        tol: it has converged when no entry of the gradient is larger

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array([0, 0, 1, 1])
        >>> (fit(LogisticRegression(), x, y, "binary", seed=0).outputs(x) > 0).ravel().tolist()
        [False, False, True, True]

    Source: Cox, The regression analysis of binary sequences, 1958.
    """

    needs = CLASSES
    scores, single_output, work = "predict_proba", False, (4e-7, 1.0)

    def __init__(
        self,
        C: PositiveFloat = 1.0,
        fit_intercept: bool = True,
        max_iter: PositiveInt = 100,
        tol: PositiveFloat = 1e-4,
    ) -> None:
        self.C, self.fit_intercept, self.max_iter, self.tol = C, fit_intercept, max_iter, tol

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import linear_model

        return linear_model.LogisticRegression(
            C=self.C, fit_intercept=self.fit_intercept, max_iter=self.max_iter, tol=self.tol
        )
