from prefect import flow


@flow(name="ingest")
def ingest() -> None:
    """X."""
