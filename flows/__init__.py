"""Flows, settings, wiring and the command line: the only package that knows Prefect and the environment."""
