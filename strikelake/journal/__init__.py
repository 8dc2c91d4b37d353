"""The durable record of what was decided and what became of it."""
