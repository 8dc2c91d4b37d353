"""Where orders go: one protocol, Alpaca behind it, and an in-memory broker for dry runs."""
