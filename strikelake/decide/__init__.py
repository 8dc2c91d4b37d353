"""The one decision function, called by the backtest engine and by the live trader alike."""

from strikelake.decide.decision import decide
from strikelake.decide.state import DayState, Decision

__all__ = ["DayState", "Decision", "decide"]
