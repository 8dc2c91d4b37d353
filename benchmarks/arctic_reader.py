"""ArcticDB's answers to the two questions of query.py, in an environment of its own: it wants pandas 2.

``python arctic_reader.py STORE FILES ROOT SYMBOL DAY REPEATS`` stores one underlying's rows by time, as is
natural there, and prints the best milliseconds and the rows of: its chain on DAY, and SYMBOL on all days.
"""

import argparse
import time
from pathlib import Path

import arcticdb
import pandas as pd
import pyarrow.dataset as ds


def main(store: str, files: str, root: str, symbol: str, day: str, repeats: str) -> None:
    """Print a line for each question."""
    library = arcticdb.Arctic(f"lmdb://{store}").get_library("bars", create_if_missing=True)
    if not library.has_symbol(root):
        copies = [str(path) for path in sorted(Path(files).glob("*.parquet"))]
        rows = ds.dataset(copies).to_table(filter=ds.field("underlying") == root).to_pandas()
        rows = rows.drop(columns=["date", "expiration"]).set_index(pd.to_datetime(rows["ts_ns"]))
        library.write(root, rows.sort_index(kind="stable"))
    start = pd.Timestamp(day)
    span = start, start + pd.Timedelta(days=1, nanoseconds=-1)
    query = arcticdb.QueryBuilder()
    query = query[query["occ_symbol"] == symbol]
    tell(lambda: library.read(root, date_range=span).data, int(repeats))
    tell(lambda: library.read(root, query_builder=query).data, int(repeats))


def tell(read, repeats: int) -> None:  # noqa: ANN001 - a script of one page
    """Print the best time and the number of rows."""
    best, rows = float("inf"), 0
    for _ in range(repeats):
        began = time.perf_counter()
        rows = len(read())
        best = min(best, 1e3 * (time.perf_counter() - began))
    print(best, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for argument in ("store", "files", "root", "symbol", "day", "repeats"):
        parser.add_argument(argument)
    main(**vars(parser.parse_args()))
