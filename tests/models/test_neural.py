"""The perceptron's own promises."""

import numpy as np
import torch

from models import networks
from models.neural import fit


def test_the_latest_rows_decide_when_to_stop(problem, cheap, monkeypatch):
    seen = {}
    train = networks.train

    def spy(network, learn, held_out, *rest):
        seen.update(learn=learn, held_out=held_out)
        train(network, learn, held_out, *rest)

    monkeypatch.setattr(networks, "train", spy)
    fit(problem.X, problem.y, seed=3, held_out_share=0.25, **cheap["neural"])
    np.testing.assert_array_equal(problem.X[:450], seen["learn"][0].numpy())
    np.testing.assert_array_equal(problem.X[450:], seen["held_out"][0].numpy())


def test_held_out_rows_change_nothing_but_when_to_stop(problem):
    changed = problem.X.copy()
    changed[540:] *= 50
    one_epoch = {"epochs": 1, "hidden": 8}
    first = fit(problem.X, problem.y, seed=3, held_out_share=0.1, **one_epoch)
    second = fit(changed, problem.y, seed=3, held_out_share=0.1, **one_epoch)
    assert first.predict_proba(problem.X).tolist() == second.predict_proba(problem.X).tolist()


def test_training_stops_when_the_held_out_loss_does(problem, monkeypatch):
    epochs = []
    monkeypatch.setattr(
        networks._Training,
        "on_train_epoch_end",
        lambda self: epochs.append(self.current_epoch),
        raising=False,
    )
    noise = np.random.default_rng(1).integers(0, 2, len(problem.y))
    fit(problem.X, noise, seed=3, epochs=200, patience=2, learning_rate=0.02)
    assert len(epochs) < 50


def test_the_best_epoch_is_kept(problem):
    noise = np.random.default_rng(1).integers(0, 2, len(problem.y))
    options = {"learning_rate": 0.05, "held_out_share": 0.5, "dropout": 0.0}

    def held_out_loss(**more):
        p = fit(problem.X, noise, seed=3, **options, **more).predict_proba(problem.X[300:])
        return -np.log(np.where(noise[300:] == 1, p, 1 - p)).mean()

    assert held_out_loss(epochs=30, patience=30) <= held_out_loss(epochs=1, patience=30) + 1e-6


def test_the_process_is_left_as_it_was(problem, cheap, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    fit(problem.X, problem.y, seed=3, **cheap["neural"]).predict_proba(problem.X)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_one_bad_print_cannot_leave_the_scale_of_training(problem, cheap):
    fitted = fit(problem.X, problem.y, seed=3, **cheap["neural"])
    bad, worse = problem.X[:1].copy(), problem.X[:1].copy()
    bad[0, 0], worse[0, 0] = 1e4, 1e30
    assert fitted.predict_proba(bad).tolist() == fitted.predict_proba(worse).tolist()
