from prefect import flow


@flow(name="featurize")
def featurize() -> None:
    """X."""
