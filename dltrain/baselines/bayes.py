"""Naive Bayes, which takes features as independent, and the dummy, which takes no feature at all."""

from __future__ import annotations

from typing import Any

from dltrain.baselines.fitting import ALL, CLASSES
from dltrain.registry import register
from dltrain.types import NonNegativeFloat


@register("baseline", "dummy")
class Dummy:
    """What can be said without looking at the features: the floor that everything else must beat.

    Classes: their shares in the training part, so the most frequent one is said; values: their mean.

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> fit(Dummy(), np.zeros((4, 2)), np.array([0, 1, 1, 1]), "classes", seed=0).said(np.zeros((1, 2))).tolist()
        [[0.25, 0.75]]
    """

    needs = ALL
    scores, single_output, work = "predict_proba", False, (1e-10, 1.0)

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import dummy

        return dummy.DummyRegressor(strategy="mean") if needs == "values" else dummy.DummyClassifier(strategy="prior")


@register("baseline", "gaussian_naive_bayes")
class GaussianNaiveBayes:
    """p(class | x) ∝ p(class) Π_j N(x_j; mean, variance), each feature by itself.

    Parameters:
        var_smoothing: share of the largest variance of all features that is added to every variance

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1])
        >>> fit(GaussianNaiveBayes(), x, y, "classes", seed=0).said(np.array([[2.0]])).round(4).tolist()
        [[1.0, 0.0]]

    Source: Hand, Yu: Idiot's Bayes: not so stupid after all?, 2001.
    """

    needs = CLASSES
    scores, single_output, work = "predict_proba", False, (2e-8, 1.0)

    def __init__(self, var_smoothing: NonNegativeFloat = 1e-9) -> None:
        self.var_smoothing = var_smoothing

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import naive_bayes

        return naive_bayes.GaussianNB(var_smoothing=self.var_smoothing)


@register("baseline", "multinomial_naive_bayes")
class MultinomialNaiveBayes:
    """p(class | x) ∝ p(class) Π_j θ_j^x_j, for counts such as of words: features of at least 0.

    Parameters:
        alpha: added to every count (Laplace, Lidstone)

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[3.0, 0], [0, 3]]), np.array([0, 1])
        >>> fit(MultinomialNaiveBayes(), x, y, "classes", seed=0).said(np.array([[1.0, 0]])).round(4).tolist()
        [[0.8, 0.2]]

    Source: McCallum, Nigam: A comparison of event models for naive Bayes text classification, 1998.
    """

    needs = CLASSES
    scores, single_output, work = "predict_proba", False, (2e-8, 1.0)

    def __init__(self, alpha: NonNegativeFloat = 1.0) -> None:
        self.alpha = alpha

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import naive_bayes

        return naive_bayes.MultinomialNB(alpha=self.alpha)


@register("baseline", "bernoulli_naive_bayes")
class BernoulliNaiveBayes:
    """p(class | x) ∝ p(class) Π_j θ_j^x_j (1 - θ_j)^(1 - x_j), for features that are there or not.

    Parameters:
        alpha: added to every count (Laplace, Lidstone)
        binarize: a feature is there when it is above this

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([1, 1, 0, 0])
        >>> fit(BernoulliNaiveBayes(), x, y, "binary", seed=0).said(np.array([[1.0]])).round(4).tolist()
        [[0.25, 0.75]]

    Source: McCallum, Nigam: A comparison of event models for naive Bayes text classification, 1998.
    """

    needs = CLASSES
    scores, single_output, work = "predict_proba", False, (2e-8, 1.0)

    def __init__(self, alpha: NonNegativeFloat = 1.0, binarize: float = 0.0) -> None:
        self.alpha, self.binarize = alpha, binarize

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import naive_bayes

        return naive_bayes.BernoulliNB(alpha=self.alpha, binarize=self.binarize)
