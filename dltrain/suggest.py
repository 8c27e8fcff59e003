"""Did you mean …?  The nearest known name to one that is not known; serves error messages only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

# What people write, from other tools and papers -> what it may be called here, most likely first.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "knn": ("k_nearest_neighbors",),
    "nearest_neighbors": ("k_nearest_neighbors",),
    "kneighbors": ("k_nearest_neighbors",),
    "svc": ("svm",),
    "svr": ("svm",),
    "support_vector_machine": ("svm",),
    "forest": ("random_forest",),
    "tree": ("decision_tree",),
    "xgboost": ("gradient_boosting",),
    "boosting": ("gradient_boosting",),
    "hist_gradient_boosting": ("gradient_boosting",),
    "naive_bayes": ("gaussian_naive_bayes",),
    "gaussian_nb": ("gaussian_naive_bayes",),
    "multinomial_nb": ("multinomial_naive_bayes",),
    "bernoulli_nb": ("bernoulli_naive_bayes",),
    "logreg": ("logistic_regression",),
    "least_squares": ("linear_regression",),
    "ols": ("linear_regression",),
    "trees": ("n_estimators",),
    "lr": ("learning_rate",),
    "eta": ("learning_rate",),
    "step_size": ("learning_rate",),
    "stepsize": ("learning_rate",),
    "base_lr": ("learning_rate",),
    "initial_learning_rate": ("learning_rate",),
    "keep_prob": ("rate",),
    "drop_prob": ("rate",),
    "dropout_rate": ("rate", "dropout"),
    "drop_rate": ("rate",),
    "p": ("rate",),
    "prob": ("rate",),
    "probability": ("rate",),
    "dropout": ("rate",),
    "out_channels": ("filters",),
    "channels": ("filters",),
    "n_filters": ("filters",),
    "num_filters": ("filters",),
    "out_features": ("units", "filters"),
    "features": ("units", "filters", "inputs"),
    "hidden": ("units",),
    "hidden_size": ("units",),
    "hidden_units": ("units",),
    "hidden_dim": ("units",),
    "neurons": ("units",),
    "nodes": ("units",),
    "size": ("units", "kernel_size", "pool_size", "batch_size"),
    "width": ("units",),
    "dim": ("units",),
    "num_units": ("units",),
    "n_units": ("units",),
    "kernel": ("kernel_size",),
    "filter_size": ("kernel_size",),
    "ksize": ("kernel_size",),
    "k": ("kernel_size",),
    "stride": ("strides",),
    "pad": ("padding",),
    "dilation": ("dilation_rate",),
    "bias": ("use_bias",),
    "with_bias": ("use_bias",),
    "init": ("kernel_initializer", "initializer"),
    "initializer": ("kernel_initializer",),
    "kernel_init": ("kernel_initializer",),
    "weight_init": ("kernel_initializer",),
    "bias_init": ("bias_initializer",),
    "eps": ("epsilon",),
    "beta1": ("beta_1",),
    "beta2": ("beta_2",),
    "betas": ("beta_1",),
    "b1": ("beta_1",),
    "b2": ("beta_2",),
    "mu": ("momentum",),
    "slope": ("negative_slope", "alpha"),
    "negative_slope": ("alpha",),
    "alpha": ("negative_slope", "learning_rate"),
    "lambda": ("l2", "strength", "weight_decay"),
    "weight_decay": ("l2", "regularize", "adamw"),
    "decay": ("weight_decay", "l2"),
    "wd": ("weight_decay", "l2"),
    "l2_reg": ("l2",),
    "l1_reg": ("l1",),
    "regularizer": ("regularize",),
    "regularizers": ("regularize",),
    "regularization": ("regularize",),
    "kernel_regularizer": ("regularize",),
    "clip": ("clip_norm",),
    "grad_clip": ("clip_norm",),
    "gradient_clip": ("clip_norm",),
    "clipnorm": ("clip_norm",),
    "max_norm": ("clip_norm", "constrain"),
    "maxnorm": ("max_norm", "max_value", "constrain"),
    "kernel_constraint": ("constrain",),
    "constraint": ("constrain",),
    "constraints": ("constrain",),
    "exponential_moving_average": ("ema",),
    "use_ema": ("average",),
    "ema": ("average",),
    "swa": ("average",),
    "ema_momentum": ("decay",),
    "ema_decay": ("decay",),
    "nonneg": ("non_neg",),
    "non_negative": ("non_neg",),
    "accumulation_steps": ("accumulate",),
    "gradient_accumulation_steps": ("accumulate",),
    "accumulate_grad_batches": ("accumulate",),
    "grad_accum": ("accumulate",),
    "micro_batches": ("accumulate",),
    "restore_best": ("restore_best_weights",),
    "max_grad_norm": ("clip_norm",),
    "batch": ("batch_size",),
    "bs": ("batch_size",),
    "minibatch": ("batch_size",),
    "mini_batch_size": ("batch_size",),
    "minibatch_size": ("batch_size",),
    "epoch": ("epochs",),
    "num_epochs": ("epochs",),
    "n_epochs": ("epochs",),
    "nb_epoch": ("epochs",),
    "max_epochs": ("epochs",),
    "iterations": ("steps",),
    "iters": ("steps",),
    "max_iter": ("steps", "epochs"),
    "max_iters": ("steps", "epochs"),
    "max_steps": ("steps",),
    "num_steps": ("steps",),
    "max_time": ("time",),
    "time_limit": ("time",),
    "budget": ("time",),
    "eval_every": ("evaluate_every",),
    "validate_every": ("evaluate_every",),
    "val_every": ("evaluate_every",),
    "eval_interval": ("evaluate_every",),
    "save_every": ("checkpoint_every",),
    "checkpoint": ("checkpoint_every",),
    "save_interval": ("checkpoint_every",),
    "save_top_k": ("keep",),
    "max_to_keep": ("keep",),
    "metric_for_best": ("monitor",),
    "optimiser": ("optimizer",),
    "optim": ("optimizer",),
    "opt": ("optimizer",),
    "solver": ("optimizer",),
    "loss_fn": ("loss",),
    "loss_function": ("loss",),
    "class_weights": ("class_weight",),
    "weights": (
        "class_weight",
        "weight",
    ),
    "pos_weight": ("class_weight",),
    "smoothing": ("label_smoothing",),
    "label_smooth": ("label_smoothing",),
    "ignore_index": ("ignore_label",),
    "sample_weight": ("weight",),
    "loss_weight": ("weight",),
    "loss_weights": ("weight",),
    "l1_loss": ("mean_absolute_error",),
    "smooth_l1": ("huber",),
    "rmse": ("root_mean_squared_error",),
    "auc": ("roc_auc",),
    "auroc": ("roc_auc",),
    "ap": ("average_precision",),
    "map": ("average_precision",),
    "ece": ("calibration_error",),
    "mcc": ("matthews_correlation",),
    "kappa": ("cohen_kappa",),
    "brier": ("brier_score",),
    "top_k": ("top_k_accuracy",),
    "top5": ("top_k_accuracy",),
    "tnr": ("specificity",),
    "sensitivity": ("recall",),
    "exact_match": ("subset_accuracy",),
    "latency": ("milliseconds_per_sample",),
    "quadratic_cost": ("quadratic",),
    "focal_loss": ("focal",),
    "categorical_hinge": ("hinge",),
    "multilabel": ("multi_label",),
    "multitask": ("multi_task",),
    "multi_output": ("multi_task",),
    "auxiliary": ("training_only",),
    "criterion": ("loss",),
    "objective": ("loss",),
    "cost": ("loss",),
    "metric": ("metrics",),
    "callbacks": ("hooks",),
    "callback": ("hooks",),
    "network": ("model",),
    "net": ("model",),
    "architecture": ("model",),
    "dataset": ("data", "source"),
    "data_source": ("source", "data"),
    "training": ("train",),
    "trainer": ("train",),
    "fit": ("train",),
    "random_seed": ("seed",),
    "random_state": ("seed",),
    "rng": ("seed",),
    "precision": ("dtype",),
    "data_type": ("dtype",),
    "inherit": ("extends",),
    "base": ("extends",),
    "include": ("extends",),
    "defaults": ("extends",),
    "variables": ("vars",),
    "params": ("vars",),
    "parameters": ("vars",),
    "layers": ("graph",),
    "nodes_graph": ("graph",),
    "input_shape": ("inputs",),
    "input": ("inputs",),
    "output": ("outputs",),
    "preprocessing": ("prepare",),
    "preprocess": ("prepare",),
    "transforms": ("prepare",),
    "transform": ("prepare",),
    "val_split": ("validation", "split"),
    "validation_split": ("validation", "split"),
    "val": ("validation",),
    "valid": ("validation",),
    "dev": ("validation",),
    "test_size": ("test",),
    "test_split": ("test", "split"),
    "tolerance": ("min_delta",),
    "min_improvement": ("min_delta",),
    "wait": ("patience",),
    "linear": ("dense",),
    "fc": ("dense",),
    "fully_connected": ("dense",),
    "affine": ("dense",),
    "conv2d": ("conv",),
    "convolution": ("conv",),
    "bn": ("batch_norm",),
    "batchnorm2d": ("batch_norm",),
    "batch_normalization": ("batch_norm",),
    "lrelu": ("leaky_relu",),
    "silu": ("swish",),
    "heaviside": ("step",),
    "threshold": ("step",),
    "perceptron": ("step",),
    "parametric_relu": ("prelu",),
    "unit_normalization": ("l2_normalization",),
    "layernorm": ("layer_norm",),
    "layer_normalization": ("layer_norm",),
    "noise": ("gaussian_noise",),
    "view": ("reshape",),
    "logistic": ("sigmoid",),
    "concatenate": ("concat",),
    "cat": ("concat",),
    "sum": ("add",),
    "skip": ("residual",),
    "shortcut": ("residual",),
    "cross_entropy": ("softmax_cross_entropy", "binary_cross_entropy"),
    "crossentropy": ("softmax_cross_entropy", "binary_cross_entropy"),
    "categorical_crossentropy": ("softmax_cross_entropy",),
    "sparse_categorical_crossentropy": ("softmax_cross_entropy",),
    "nll": ("softmax_cross_entropy",),
    "bce": ("binary_cross_entropy",),
    "log_loss": ("binary_cross_entropy",),
    "mse": ("mean_squared_error",),
    "l2_loss": ("mean_squared_error",),
    "mae": ("mean_absolute_error",),
    "acc": ("accuracy",),
    "f1_score": ("f1",),
    "r_squared": ("r2",),
    "gd": ("sgd", "gradient_descent"),
    "sgd": ("gradient_descent", "momentum"),
    "gradient_descent": ("sgd",),
    "normalize": ("standardize", "scale"),
    "zscore": ("standardize",),
    "standard_scaler": ("standardize",),
    "minmax": ("min_max",),
    "min_max_scaler": ("min_max",),
    "imputer": ("impute",),
    "simple_imputer": ("impute",),
    "fillna": ("impute",),
    "onehot": ("one_hot",),
    "one_hot_encoder": ("one_hot",),
    "dummies": ("one_hot",),
    "poly": ("polynomial",),
    "polynomial_features": ("polynomial",),
    "zca": ("whiten",),
    "whitening": ("whiten",),
    "log": ("log1p",),
    "time_series": ("chronological",),
    "group": ("grouped",),
    "matlab": ("mat",),
    "cifar10": ("cifar",),
    "flower": ("planar_flower",),
    "ignore_columns": ("drop",),
    "exclude": ("drop",),
    "categories": ("categorical",),
    "na_values": ("missing",),
    "oversampling": ("balance", "oversample"),
    "class_balance": ("balance",),
    "xavier": ("glorot_uniform", "glorot_normal", "glorot"),
    "xavier_uniform": ("glorot_uniform",),
    "xavier_normal": ("glorot_normal",),
    "kaiming": ("he_normal", "he"),
    "kaiming_normal": ("he_normal",),
    "kaiming_uniform": ("he_uniform",),
    "early_stop": ("early_stopping",),
    "earlystopping": ("early_stopping",),
    "regress": ("regression",),
    "classifier": ("classification",),
    "classify": ("classification",),
    "binary": ("binary_classification",),
}

LISTED = 8  # names of a file that an error shows

NOTES = {
    "keep_prob": "rate is the share that is dropped: 1 − keep_prob",
    "betas": "beta_1 and beta_2 are two parameters",
}


def normal(name: str) -> str:
    """A name without capitals, hyphens and camel case: `batchSize` -> `batch_size`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[\s._-]+", "_", spaced).strip("_").lower()


def distance(a: str, b: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour, to get from `a` to `b`.

    Example:
        >>> distance("epohcs", "epochs"), distance("droput", "dropout")
        (1, 1)

    Source: optimal string alignment; L. Boytsov, "Indexing methods for approximate dictionary
        searching", 2011.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                row[j] = min(row[j], older[j - 2] + 1)
    return row[-1]


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most likely meant, or None.

    Example:
        >>> closest("lr", ["learning_rate", "beta_1"]), closest("batchSize", ["batch_size", "epochs"])
        ('learning_rate', 'batch_size')
        >>> closest("zebra", ["batch_size", "epochs"]) is None
        True
    """
    names, written = [k for k in known if isinstance(k, str)], normal(str(name)[:80])
    same = [k for k in names if normal(k).replace("_", "") == written.replace("_", "")]
    if same or not written:
        return same[0] if same else None
    for synonym in SYNONYMS.get(written, ()):
        if synonym in names:
            return synonym
    targets = [(normal(k), k) for k in names if len(k) <= 80]
    targets += [(synonym, k) for synonym, ks in SYNONYMS.items() for k in ks[:1] if k in names and len(synonym) > 3]
    scores = sorted((distance(written, target), index) for index, (target, _) in enumerate(targets))
    if scores:
        steps, index = scores[0]
        longer = max(len(written), len(targets[index][0]))  # one letter for another is another name, not a slip
        if steps <= max(1, (len(written) + 1) // 3) and 2 * steps <= longer:
            return targets[index][1]
    if len(written) < 3:
        return None
    inside = [k for k in names if normal(k).startswith(written) or (len(k) > 3 and written.startswith(normal(k)))]
    return min(inside, key=len) if inside else None


def listed(names: Iterable[str]) -> str:
    """Some names from a file, as an error shows them: what cannot be printed is escaped.

    Example:
        >>> listed(["x", "y" + chr(27)]).isprintable()
        True
    """
    return ", ".join(name if name.isprintable() else repr(name) for name in islice(names, LISTED))


def hint(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error's sentence: `did you mean …?`, with a note where the meaning differs.

    Example:
        >>> hint("keep_prob", ["rate"])
        "did you mean 'rate'? (rate is the share that is dropped: 1 − keep_prob)"
    """
    near = closest(name, known)
    if near is None:
        return otherwise
    note = NOTES.get(normal(str(name)))
    return f"did you mean {near!r}?" + (f" ({note})" if note and near in note else "")
