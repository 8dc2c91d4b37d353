"""Decisions: signals, structures, sizes and exits. Pure functions."""
