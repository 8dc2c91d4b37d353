"""The torch module that `models.neural` fits, and its training by Lightning.

This module imports torch and Lightning, which takes seconds; `models.neural` imports it where it is used.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as lightning
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

SCALED_LIMIT = 8.0


class Network(nn.Module):
    """A perceptron that standardises its own input.

    Parameters
    ----------
    mean, scale : numpy.ndarray of float32, shape (p,)
        Location and spread of each feature over the training rows; an infinite spread silences a feature.
    hidden : int
        Width of the two hidden layers.
    dropout : float
        Share of hidden units that are silenced in each training step.

    Notes
    -----
    A missing value becomes 0 after scaling, which is the training mean, and scaled values are held within
    ``SCALED_LIMIT`` standard deviations, so that one bad print cannot saturate the network.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, mean: NDArray[np.float32], scale: NDArray[np.float32], hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(mean))
        self.register_buffer("scale", torch.from_numpy(scale))
        self.layers = nn.Sequential(
            nn.Linear(len(mean), hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
        )

    def logits(self, X: Tensor) -> Tensor:
        """Log-odds of a rise, shape (n,)."""
        outputs: Tensor = self.layers(self.standardise(X))
        return outputs.squeeze(1)

    def standardise(self, X: Tensor) -> Tensor:
        """Scaled, complete and bounded features, shape (n, p)."""
        scaled = (X - self.mean) / self.scale
        known = torch.where(torch.isnan(scaled), torch.zeros_like(scaled), scaled)
        return known.clamp(-SCALED_LIMIT, SCALED_LIMIT)

    def forward(self, X: Tensor) -> Tensor:
        """Probability of a rise, shape (n,)."""
        return torch.sigmoid(self.logits(X))


class Batches:
    """Shuffled slices of tensors in memory: several times faster than a DataLoader for rows this small."""

    def __init__(self, X: Tensor, y: Tensor, size: int, seed: int) -> None:
        self._X, self._y, self._size = X, y, size
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self._X), generator=self._generator)
        for start in self._starts():
            rows = order[start : start + self._size]
            yield self._X[rows], self._y[rows]

    def _starts(self) -> range:
        return range(0, len(self._X), self._size)


class _Training(lightning.LightningModule):
    def __init__(self, network: Network, learning_rate: float) -> None:
        super().__init__()
        self.network = network
        self._learning_rate = learning_rate
        self._loss = nn.BCEWithLogitsLoss()

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        X, y = batch
        loss: Tensor = self._loss(self.network.logits(X), y)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _index: int) -> None:
        X, y = batch
        self.log("held_out_loss", self._loss(self.network.logits(X), y), batch_size=len(X))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.network.parameters(), lr=self._learning_rate, weight_decay=1e-2)


class _BestWeights(Callback):
    """Keeps the best epoch's weights in memory; Lightning's own way writes checkpoint files."""

    def __init__(self) -> None:
        self._loss = float("inf")
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        loss = float(trainer.callback_metrics["held_out_loss"])
        if not trainer.sanity_checking and loss < self._loss:
            self._loss = loss
            self._weights = {name: value.clone() for name, value in pl_module.network.state_dict().items()}

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        del trainer
        if self._weights:
            pl_module.network.load_state_dict(self._weights)


class Schedule(NamedTuple):
    """How long and how fast to train.

    Parameters
    ----------
    epochs, patience : int
        Most passes over the rows, and passes without improvement after which to stop.
    batch_size : int
        Rows per step.
    learning_rate : float
        Step size of AdamW.
    """

    epochs: int
    patience: int
    batch_size: int
    learning_rate: float


def train(
    network: Network,
    learn: tuple[Tensor, Tensor],
    held_out: tuple[Tensor, Tensor],
    schedule: Schedule,
    seed: int,
) -> None:
    """Train in place, and leave the weights of the epoch with the lowest loss on the held-out rows.

    Parameters
    ----------
    network : Network
        Initialised network.
    learn, held_out : tuple of torch.Tensor
        (X, y) pairs: the rows to learn from, and the later rows that say when to stop.
    schedule : Schedule
        How long and how fast.
    seed : int
        Seed of the order of rows.
    """
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=schedule.epochs,
        callbacks=[EarlyStopping("held_out_loss", patience=schedule.patience), _BestWeights()],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        _Training(network, schedule.learning_rate),
        Batches(*learn, schedule.batch_size, seed),
        Batches(*held_out, len(held_out[0]), seed),
    )
    network.eval()


def contributions(network: Network, X: Tensor) -> NDArray[np.float32]:
    """Mean absolute contribution of each feature to the log-odds of rows, shape (p,).

    A contribution is the standardised value times the gradient with respect to it, so a feature that is
    always missing or never varies contributes 0.
    """
    known = network.standardise(X).requires_grad_()
    (gradient,) = torch.autograd.grad(network.layers(known).sum(), known)
    shares: NDArray[np.float32] = (gradient * known).detach().abs().mean(dim=0).numpy()
    return shares
