"""Strikelake: vocabulary, decisions and adapters for machine-learning research on US equity options."""
