"""The point-in-time lake: Parquet files under a Delta log."""
