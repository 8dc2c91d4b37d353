import itertools
from decimal import Decimal

import pytest

from flows import accounts, settings
from strikelake.errors import ConfigError
from strikelake.risk.tiers import tier_for

BOUNDARIES = [
    ("0", "micro"), ("999.99", "micro"),
    ("1000", "small"), ("9999.99", "small"),
    ("10000", "medium"), ("49999.99", "medium"),
    ("50000", "large"), ("249999.99", "large"),
    ("250000", "institutional"), ("1e9", "institutional"),
]  # fmt: skip


@pytest.mark.parametrize(("balance", "name"), BOUNDARIES)
def test_every_boundary_is_inclusive_below(balance, name):
    assert tier_for(Decimal(balance), accounts.tiers()).name == name


def test_the_tiers_are_those_of_the_requirements():
    found = [
        (t.name, t.max_positions, t.risk_per_trade, t.requests_per_minute, t.requests_per_day, len(t.symbols))
        for t in accounts.tiers()
    ]
    assert found == [
        ("micro", 2, Decimal("0.02"), 5, 1000, 3),
        ("small", 3, Decimal("0.025"), 7, 1500, 6),
        ("medium", 5, Decimal("0.03"), 10, 2000, 10),
        ("large", 8, Decimal("0.035"), 15, 3000, 16),
        ("institutional", 12, Decimal("0.04"), 25, 5000, 24),
    ]


def test_universes_accumulate():
    ladder = accounts.tiers()
    for smaller, larger in itertools.pairwise(ladder):
        assert larger.symbols[: len(smaller.symbols)] == smaller.symbols


@pytest.mark.parametrize(
    ("tolerance", "position", "stop"),
    [("low", "0.1", "0.3"), ("medium", "0.2", "0.4"), ("high", "0.3", "0.5")],
)
def test_the_tolerance_picks_position_limit_and_stop(monkeypatch, tolerance, position, stop):
    monkeypatch.setenv("RISK_TOLERANCE", tolerance)
    limits = accounts.limits(settings.load())
    assert (limits.position_limit, limits.stop_loss) == (Decimal(position), Decimal(stop))
    assert (limits.max_daily_loss, limits.max_portfolio_risk) == (Decimal("0.05"), Decimal("0.15"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("risk.yaml", "max_daily_loss", "max_dayly_loss", "did you mean 'max_daily_loss'"),
        ("risk.yaml", "stop_loss: 0.40", "stop_loss: 0.90", "stop_loss"),
        ("accounts.yaml", "min_equity: 0", "min_equity: 5", "must start at an equity of 0"),
        ("accounts.yaml", "max_positions: 2", "max_positions: two", "max_positions"),
        ("accounts.yaml", "tiers:", "tiers: [", "no YAML"),
    ],
)
def test_a_bad_file_is_one_line_that_names_the_key(monkeypatch, tmp_path, file, old, new, message):
    folder = tmp_path / "config"
    folder.mkdir()
    for path in (settings.home() / "config").glob("*.yaml"):
        text = path.read_text()
        (folder / path.name).write_text(text.replace(old, new) if path.name == file else text)
    monkeypatch.setenv("STRIKELAKE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=message) as error:
        accounts.limits(settings.load())
    assert "\n" not in str(error.value)
