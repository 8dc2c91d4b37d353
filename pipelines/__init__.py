"""Plain functions, one step each, with adapters and values as arguments."""
