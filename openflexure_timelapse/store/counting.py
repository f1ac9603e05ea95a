"""Counts that no total keeps: found by walking a table; for reports, not for lists."""

import sqlite3
from typing import List, Tuple

__all__ = ["ReasonCount", "count_reasons"]

ReasonCount = Tuple[str, str, int]

SELECT_REASONS = """
SELECT outcome, reason, sum(last - first + 1) FROM slots
WHERE reason IS NOT NULL GROUP BY outcome, reason ORDER BY min(first)
"""


def count_reasons(reader: sqlite3.Connection) -> List[ReasonCount]:
    """Return outcome, reason and number of slots, in the order of their first slots."""
    return [
        (str(row[0]), str(row[1]), int(row[2]))
        for row in reader.execute(SELECT_REASONS)
    ]
