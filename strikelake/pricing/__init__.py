"""Prices, Greeks, implied volatilities and rates: numpy in, numpy out, no I/O and no clock."""
