"""The tables of the lake: what a good row is, row by row and column by column.

One class per table, all times in ns UTC. `tables()` lists them with their order, their partitions and the
rule of `available_at`, the moment from which a trader could have known a row.
"""

from strikelake.schemas.catalog import table, tables
from strikelake.schemas.derived import Quarantine
from strikelake.schemas.spec import TableSpec

__all__ = ["Quarantine", "TableSpec", "table", "tables"]
