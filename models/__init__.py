"""Estimators of the probability that an underlying rises, their validation, registry and scoring.

Every kind of model is one module with one function, ``fit(X, y, *, seed, ...)``, whose result follows
`models.kinds.Fitted`. ``X`` is float32 of shape (n, p), rows in time order, NaN where a feature is unknown;
``y`` is 1 where the price rose over the label's horizon and 0 elsewhere.

forest, boosted, neural   the three kinds; networks holds the torch module that neural trains
kinds                     what a fitted model can do, and fitting one by its name
matrices                  frames to design matrices: the same rules in training and in trading
splits                    walk-forward windows, purged by the time at which labels become known
evaluation, explain       out-of-sample metrics and calibration; importances and their charts
export, scoring           ONNX with a parity check; the scorer that trading loads
versions                  candidates, their lineage, and the versions they become
registry, flavours        MLflow: runs, versions, the champion; models in its formats
"""
