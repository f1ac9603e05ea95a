"""Sums over blocks of slots, kept by triggers, so that no look at a run walks its rows.

A run that an older version began lacks them. Then the reader makes them for itself, in
memory, which costs a walk.
"""

import sqlite3

from openflexure_timelapse.frame import Outcome
from openflexure_timelapse.store.begun import REFUSED

__all__ = ["BLOCK", "MADE", "SCHEMA", "provide"]

BLOCK = 64
"""Slots in a block."""

IN_ONE = f"first / {BLOCK} = last / {BLOCK}"
MADE = f"('{Outcome.CAPTURED.value}', '{Outcome.LATE.value}')"
"""Outcomes of visits that were made, as SQL."""

# Outcomes that reach into another block are few: skipped ranges. They have an index.
SCHEMA = f"""
CREATE TABLE slot_blocks (
    block INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    slots INTEGER NOT NULL,
    PRIMARY KEY (block, outcome)
) WITHOUT ROWID;
CREATE TRIGGER slot_in_block AFTER INSERT ON slots
WHEN NEW.first / {BLOCK} = NEW.last / {BLOCK}
BEGIN
    INSERT OR IGNORE INTO slot_blocks VALUES (NEW.first / {BLOCK}, NEW.outcome, 0);
    UPDATE slot_blocks SET slots = slots + NEW.last - NEW.first + 1
    WHERE block = NEW.first / {BLOCK} AND outcome = NEW.outcome;
END;
CREATE TABLE visit_blocks (
    position INTEGER NOT NULL,
    block INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    lateness_ns INTEGER NOT NULL,
    PRIMARY KEY (position, block)
) WITHOUT ROWID;
CREATE TRIGGER visit_in_block AFTER INSERT ON visits WHEN NEW.outcome IN {MADE}
BEGIN
    INSERT OR IGNORE INTO visit_blocks
    VALUES (NEW.position, NEW.slot / {BLOCK}, NEW.slot, NEW.lateness_ns);
    UPDATE visit_blocks SET slot = NEW.slot, lateness_ns = NEW.lateness_ns
    WHERE position = NEW.position AND block = NEW.slot / {BLOCK}
    AND lateness_ns < NEW.lateness_ns;
END;
CREATE TABLE stacks (
    position INTEGER NOT NULL,
    plane INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    PRIMARY KEY (position, plane)
) WITHOUT ROWID;
CREATE TRIGGER frame_in_stack AFTER INSERT ON frames
BEGIN
    INSERT OR IGNORE INTO stacks VALUES (NEW.position, NEW.plane, 0);
    UPDATE stacks SET frames = frames + 1
    WHERE position = NEW.position AND plane = NEW.plane;
END;
CREATE INDEX long_slots ON slots (first) WHERE first / {BLOCK} <> last / {BLOCK};
CREATE INDEX focused_visits ON visits (position, slot) WHERE focus IS NOT NULL;
CREATE INDEX refused_visits ON visits (slot) WHERE reason IN {REFUSED};
"""  # noqa: S608 - our own names only

IS_THERE = "SELECT count(*) FROM sqlite_master WHERE name = ?"
# What the triggers would have kept, by table.
WALKS = {
    "slot_blocks": f"""
        SELECT first / {BLOCK} AS block, outcome, sum(last - first + 1) AS slots
        FROM slots WHERE {IN_ONE} GROUP BY 1, 2""",  # noqa: S608 - our own names only
    "visit_blocks": f"""
        SELECT position, slot / {BLOCK} AS block, slot, max(lateness_ns) AS lateness_ns
        FROM visits WHERE outcome IN {MADE} GROUP BY 1, 2""",  # noqa: S608 - as above
    "stacks": """
        SELECT position, plane, count(*) AS frames FROM frames GROUP BY 1, 2""",
}


def provide(reader: sqlite3.Connection, table: str) -> None:
    """Make sure that a reader in a transaction finds a table, whoever began the run."""
    if not reader.execute(IS_THERE, (table,)).fetchone()[0]:
        reader.execute(f"CREATE TEMP TABLE {table} AS {WALKS[table]}")
