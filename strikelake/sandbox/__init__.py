"""The local market: a simulator behind the vendors' and the broker's own protocols."""
