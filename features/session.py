"""Features of the clock."""

from __future__ import annotations

from features.feature import Feature, FloatArray, Inputs


def features() -> tuple[Feature, ...]:
    """Return the session family."""
    return (
        Feature(
            "minute_of_session",
            "session",
            ("minute_of_session",),
            1,
            "minutes since the open",
            minute_of_session,
            nulls="never",
        ),
    )


def minute_of_session(inputs: Inputs) -> FloatArray:
    """Return the minutes from the session's open to the end of the bar."""
    return inputs["minute_of_session"]
