"""Account tiers and limits. Pure functions."""
