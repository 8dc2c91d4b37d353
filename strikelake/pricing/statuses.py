"""What can become of a row whose volatility is asked for."""

from __future__ import annotations

STATUSES = (
    "solved",
    "below_intrinsic",
    "above_bound",
    "non_positive_price",
    "missing_input",
    "expired",
    "above_cap",
    "below_tick_vega",
    "not_converged",
    "at_american_intrinsic",
)
"""The names; an int8 code indexes this tuple."""

(
    SOLVED,
    BELOW_INTRINSIC,
    ABOVE_BOUND,
    NON_POSITIVE_PRICE,
    MISSING_INPUT,
    EXPIRED,
    ABOVE_CAP,
    BELOW_TICK_VEGA,
    NOT_CONVERGED,
    AT_AMERICAN_INTRINSIC,
) = range(len(STATUSES))

LOOK_AGAIN = -1
"""A kernel's mark for a row that needs the slower search; no caller sees it."""
