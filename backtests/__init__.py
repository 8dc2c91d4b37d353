"""Backtests: event replay through the live decision functions, and vectorised sweeps."""
