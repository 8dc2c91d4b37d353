"""The treasury curve and time to expiration."""

from datetime import date

import numpy as np
import pytest

from strikelake.calendar import et_ns
from strikelake.contracts import expiry_ns
from strikelake.pricing.rates import interpolate, years_between


def test_curve_is_linear_between_tenors_and_flat_outside():
    curve = interpolate([30, 365], [0.02, 0.04], [1, 30, 197.5, 365, 9_999])
    assert curve == pytest.approx(2 * np.log1p(np.array([0.02, 0.02, 0.03, 0.04, 0.04]) / 2))


def test_order_and_holes_of_the_curve_do_not_matter():
    assert interpolate([365, 90, 30], [0.04, np.nan, 0.02], 60) == interpolate([30, 365], [0.02, 0.04], 60)


def test_an_unknown_maturity_has_no_rate():
    assert np.isnan(interpolate([30], [0.02], [np.nan])).tolist() == [True]


@pytest.mark.parametrize(("tenors", "yields"), [([], []), ([30], [np.nan])])
def test_an_empty_curve_names_the_remedy(tenors, yields):
    with pytest.raises(ValueError, match="ingest treasury_yields"):
        interpolate(tenors, yields, 30)


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match=r"tenor_days \(2,\), yields \(3,\)"):
        interpolate([30, 90], [0.01, 0.02, 0.03], 30)


def test_minutes_to_expiration():
    noon = et_ns(date(2025, 1, 17), "12:00")
    assert years_between(noon, expiry_ns(date(2025, 1, 17))) * 365 * 24 * 60 == pytest.approx(240.0)
    assert years_between([expiry_ns(date(2025, 1, 17))], noon) < 0
