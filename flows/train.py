from prefect import flow


@flow(name="train")
def train() -> None:
    """X."""
