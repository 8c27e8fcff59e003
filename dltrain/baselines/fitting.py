"""Fits a baseline, and says what it says in the form that tasks take: logits of classes, or values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from dltrain.errors import DltrainError
from dltrain.seeds import generator

Array = np.ndarray[Any, Any]

CLASSES = ("classes", "binary")  # what targets may be, see Task.needs
ALL = (*CLASSES, "values")
EPSILON = float(np.finfo(np.float64).eps)  # probabilities are kept this far from 0, as in scikit-learn's log_loss


class Refusal(DltrainError):
    """scikit-learn refuses the parameters or the data, in its own words."""

    exit_code = 2


@dataclass(frozen=True)
class Fitted:
    """A baseline that has learned.

    Parameters:
        baseline: the baseline
        estimator: scikit-learn's, fitted
        needs: what the targets are: "classes", "binary" or "values"
        complaints: scikit-learn's warnings during the fit, such as that it has not converged
    """

    baseline: Any
    estimator: Any
    needs: str
    complaints: tuple[str, ...] = ()

    def said(self, x: Array) -> Array:
        """What the estimator itself says: probabilities, decision values or values, in float64.

        Parameters:
            x: (N, …) prepared features

        Raises:
            Refusal: when scikit-learn cannot use them, or what it says is not finite.
        """
        method = "predict" if self.needs == "values" else self.baseline.scores
        with refusals(), np.errstate(all="ignore"):
            said = np.asarray(getattr(self.estimator, method)(flat(x)), np.float64)
        if not np.isfinite(said).all():
            what, hint = "what scikit-learn says is not finite", "are all features constant, or of very different size?"
            raise Refusal(what, got=f"{float(said[~np.isfinite(said)][0])}", hint=hint)
        return said

    def outputs(self, x: Array) -> Array:
        """Outputs as a network would have them: (N, K) logits of classes, (N, 1) of yes, (N, M) values.

        Parameters:
            x: (N, …) prepared features
        """
        said = self.said(x)
        if self.needs == "values":
            return said.reshape(len(said), -1)
        return LOGITS[self.baseline.scores](said, self.needs == "binary")


def logits_of_shares(shares: Array, binary: bool) -> Array:
    """Log-probabilities (N, K), whose softmax gives the probabilities back; or the log-odds of yes (N, 1).

    Example:
        >>> np.exp(logits_of_shares(np.array([[0.25, 0.75]]), False)).round(4).tolist()
        [[0.25, 0.75]]
        >>> logits_of_shares(np.array([[0.5, 0.5]]), True).tolist()
        [[0.0]]
    """
    kept = np.clip(shares, EPSILON, 1 - EPSILON)
    return np.log(kept[:, 1:] / kept[:, :1]) if binary else np.log(kept)


def logits_of_margins(margins: Array, binary: bool) -> Array:
    """Decision values taken as logits: the class is exact, the probabilities are not calibrated.

    Example:
        >>> logits_of_margins(np.array([1.5, -2.0]), False).tolist()    # two classes: one margin a sample
        [[0.0, 1.5], [0.0, -2.0]]
    """
    if margins.ndim == 2:
        return margins
    return margins[:, None] if binary else np.stack([np.zeros_like(margins), margins], axis=1)


LOGITS = {"predict_proba": logits_of_shares, "decision_function": logits_of_margins}


def fit(baseline: Any, x: Array, y: Array, needs: str, seed: int, weights: Array | None = None) -> Fitted:
    """Fit a baseline; the same arguments give the same result.

    Parameters:
        baseline: a registered baseline
        x: (N, …) prepared features
        y: (N,) labels or (N, M) values
        needs: what the targets are: "classes", "binary" or "values"
        seed: of the run; the estimator's own seed is derived from it
        weights: (N,) how much each sample counts; None: all alike

    Raises:
        Refusal: when scikit-learn cannot fit it to these data, or cannot weigh samples.
    """
    from sklearn.utils.validation import has_fit_parameter

    estimator = baseline.estimator(needs, random_state(seed))
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    elif y.ndim == 2 and baseline.single_output:
        from sklearn.multioutput import MultiOutputRegressor

        estimator = MultiOutputRegressor(estimator)
    options = {} if weights is None else {"sample_weight": weights}
    if options and not has_fit_parameter(estimator, "sample_weight"):
        what, hint = "this method cannot weigh samples", "take out `class_weight`, and `weight` of the source"
        raise Refusal(what, got="weights of samples", hint=hint)
    with warnings.catch_warnings(record=True) as caught, refusals():
        warnings.simplefilter("always")
        estimator.fit(flat(x), y, **options)
    check_classes(estimator)
    return Fitted(baseline, estimator, needs, tuple(dict.fromkeys(first_sentence(w.message) for w in caught)))


def check_classes(estimator: Any) -> None:
    """Raise a Refusal when a support vector machine has passed over a class, as it does where all of it weighs 0."""
    wanted, learned = (getattr(estimator, name, ()) for name in ("classes_", "n_support_"))
    if len(wanted) > len(learned) > 0:
        what, hint = "scikit-learn leaves out a class that weighs 0", "give it a small weight, such as 1e-6"
        raise Refusal(what, expected=f"{len(wanted)} classes", got=str(len(learned)), hint=hint)


def random_state(seed: int) -> int:
    """The number that scikit-learn's estimators are seeded with.

    Example:
        >>> random_state(0) == random_state(0) != random_state(1)
        True
    """
    return int(generator(seed, "baseline").integers(2**32))


def estimate(baseline: Any, samples: int, features: int) -> float:
    """About how many seconds fit and evaluation will take: a N^p D, with a and p from the baseline's `work`.

    Measured on MNIST, 4000 samples of ten classes, default parameters: right to a factor of a few elsewhere.

    Parameters:
        baseline: a registered baseline
        samples: to fit
        features: of each
    """
    seconds, power = baseline.work
    return float(seconds) * float(samples) ** power * features


def flat(x: Array) -> Array:
    """Features as a table (N, D): pictures are read row by row."""
    return x.reshape(len(x), -1)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn scikit-learn's complaints about parameters and data into a Refusal."""
    try:
        yield
    except (ValueError, MemoryError, np.linalg.LinAlgError) as error:
        raise Refusal("scikit-learn cannot do this", got=first_sentence(error) or type(error).__name__) from error


def first_sentence(said: Any) -> str:
    """The beginning of a message of scikit-learn, on one line.

    Example:
        >>> first_sentence("lbfgs failed to converge (status=1):\\nSTOP.\\n\\nIncrease it.")
        'lbfgs failed to converge (status=1)'
    """
    text = str(said).strip().partition("\n")[0].strip().rstrip(":.")
    return text if len(text) <= 200 else text[:199] + "…"
