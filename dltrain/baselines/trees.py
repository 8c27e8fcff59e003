"""Trees: one, a forest of them, and a sum of them."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from dltrain.baselines.fitting import ALL
from dltrain.registry import register
from dltrain.types import NonNegativeFloat, PositiveFloat, PositiveInt

Share = Annotated[float, Gt(0), Le(1)]


@register("baseline", "decision_tree")
class DecisionTree:
    """Questions "is feature j at most c?", each the one that leaves the purest halves (Gini; variance for values).

    Parameters:
        max_depth: most questions in a row; null asks until every leaf is pure
        min_samples_leaf: fewest samples in a leaf
        ccp_alpha: a branch is cut off unless it lowers the impurity by so much for each of its leaves

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 1, 0])
        >>> fit(DecisionTree(), x, y, "classes", seed=0).said(x).argmax(1).tolist()
        [0, 1, 1, 0]

    Source: Breiman, Friedman, Olshen, Stone: Classification and regression trees, 1984.
    """

    needs = ALL
    scores, single_output, work = "predict_proba", False, (9e-8, 1.15)

    def __init__(
        self,
        max_depth: PositiveInt | None = None,
        min_samples_leaf: PositiveInt = 1,
        ccp_alpha: NonNegativeFloat = 0.0,
    ) -> None:
        self.max_depth, self.min_samples_leaf, self.ccp_alpha = max_depth, min_samples_leaf, ccp_alpha

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator."""
        from sklearn import tree

        make = tree.DecisionTreeRegressor if needs == "values" else tree.DecisionTreeClassifier
        return make(
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            ccp_alpha=self.ccp_alpha,
            random_state=random_state,
        )


@register("baseline", "random_forest")
class RandomForest:
    """The mean of many trees, each grown on a bootstrap sample, each question chosen among some features only.

    Parameters:
        n_estimators: number of trees
        max_depth: most questions in a row; null asks until every leaf is pure
        min_samples_leaf: fewest samples in a leaf
        max_features: share of the features that a question is chosen among; null takes their square root for classes
            and all of them for values

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.arange(20.0)[:, None], np.arange(20) // 10
        >>> fit(RandomForest(20), x, y, "classes", seed=0).said(np.array([[2.0], [17.0]])).argmax(1).tolist()
        [0, 1]

    Source: Breiman, Random forests, 2001.
    """

    needs = ALL
    scores, single_output, work = "predict_proba", False, (2e-7, 1.15)

    def __init__(
        self,
        n_estimators: PositiveInt = 100,
        max_depth: PositiveInt | None = None,
        min_samples_leaf: PositiveInt = 1,
        max_features: Share | None = None,
    ) -> None:
        self.n_estimators, self.max_depth = n_estimators, max_depth
        self.min_samples_leaf, self.max_features = min_samples_leaf, max_features

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator; one thread, for the sum of several is not the same every time."""
        from sklearn import ensemble

        values = needs == "values"
        make = ensemble.RandomForestRegressor if values else ensemble.RandomForestClassifier
        return make(
            self.n_estimators,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            max_features=self.max_features or (1.0 if values else "sqrt"),
            n_jobs=1,
            random_state=random_state,
        )


@register("baseline", "gradient_boosting")
class GradientBoosting:
    """A sum of small trees, each fitted to the gradient of the loss of those before it, on binned features.

    Classes: cross-entropy, one tree a class and round; values: squared error, one column at a time.  Features need no
    scaling.

    Parameters:
        learning_rate: what each tree counts
        max_iter: rounds
        max_leaf_nodes: most leaves of a tree
        max_depth: most questions in a row; null sets no limit
        min_samples_leaf: fewest samples in a leaf
        l2_regularization: penalty on the values of the leaves

    Example:
        >>> import numpy as np
        >>> from dltrain.baselines import fit
        >>> x, y = np.arange(40.0)[:, None], np.arange(40) // 20
        >>> (fit(GradientBoosting(), x, y, "binary", seed=0).outputs(np.array([[2.0], [37.0]])) > 0).ravel().tolist()
        [False, True]

    Source: Friedman, Greedy function approximation: a gradient boosting machine, 2001.
    """

    needs = ALL
    scores, single_output, work = "predict_proba", True, (8e-6, 1.0)

    def __init__(
        self,
        learning_rate: PositiveFloat = 0.1,
        max_iter: PositiveInt = 100,
        max_leaf_nodes: Annotated[int, Ge(2)] = 31,
        max_depth: PositiveInt | None = None,
        min_samples_leaf: PositiveInt = 20,
        l2_regularization: NonNegativeFloat = 0.0,
    ) -> None:
        self.learning_rate, self.max_iter, self.max_leaf_nodes = learning_rate, max_iter, max_leaf_nodes
        self.max_depth, self.min_samples_leaf, self.l2_regularization = max_depth, min_samples_leaf, l2_regularization

    def estimator(self, needs: str, random_state: int) -> Any:
        """scikit-learn's estimator; without early stopping, which would take samples away from the training."""
        from sklearn import ensemble

        values = needs == "values"
        make = ensemble.HistGradientBoostingRegressor if values else ensemble.HistGradientBoostingClassifier
        return make(
            learning_rate=self.learning_rate,
            max_iter=self.max_iter,
            max_leaf_nodes=self.max_leaf_nodes,
            max_depth=self.max_depth,
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            early_stopping=False,
            random_state=random_state,
        )
