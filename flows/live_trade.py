from prefect import flow


@flow(name="live-trade")
def live_trade() -> None:
    """X."""
