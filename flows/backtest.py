from prefect import flow


@flow(name="backtest")
def backtest() -> None:
    """X."""
