"""What a stranger may have done to a run that is copied from him."""

import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Tuple

from campaigns.hostile_folder import EVIL, jpeg, linked, told_evil
from openflexure_timelapse.store import rows
from openflexure_timelapse.store.exif import read_frame_record, with_exif

__all__ = ["HARMS", "Harm"]

COLUMNS = {
    "frames": (
        "slot",
        "position",
        "plane",
        "sha256",
        "size_bytes",
        "due_ns",
        "wall_ns",
        "utc_offset_s",
        "width",
        "height",
        "mean_grey",
        "flags",
        "metadata",
        "crc",
    ),
    "slots": ("first", "last", "outcome", "reason", "detail", "lateness_ns"),
    "totals": ("frames", "bytes", "last_n", "next_slot", "captured"),
    "positions": ("name", "slug"),
    "meta": ("value",),
}
VALUES: Tuple[Any, ...] = (
    -1,
    0,
    2**31,
    2**63 - 1,
    -(2**63),
    1e308,
    None,
    b"\xff\x00",
    "",
    "[]",
    "{}",
    "[" * 5000,
    '{"state": [1]}',
    '{"state": {"phase": "ended"}, "x": ' + "9" * 5000 + "}",
    "../../outside/secret",
    *(text for text in EVIL if "\ud800" not in text),
)
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
SCHEMAS = (
    f"""ALTER TABLE slots RENAME TO x; CREATE VIEW slots AS {ENDLESS} SELECT n,
    n AS first, n AS last, 'captured' AS outcome, NULL AS reason, '' AS detail,
    0 AS lateness_ns FROM c""",  # noqa: S608 - it is the attack
    f"""ALTER TABLE totals RENAME TO x; CREATE VIEW totals AS {ENDLESS} SELECT
    count(*) AS frames, 0 AS bytes, 0 AS last_n, 0 AS next_slot, 0 AS captured,
    0 AS late, 0 AS skipped, 0 AS failed FROM c""",  # noqa: S608 - it is the attack
    "CREATE TRIGGER evil AFTER INSERT ON events BEGIN DELETE FROM frames; END",
    "CREATE TABLE IF NOT EXISTS visible (x)",
    "DROP TABLE meta",
    "PRAGMA user_version = 99",
)

Harm = Callable[[Path, Path, random.Random], None]


def _statement(run: Path, text: str, values: Tuple[Any, ...] = ()) -> None:
    """Change the index behind the store's back, as far as SQLite lets us."""
    with closing(sqlite3.connect(str(run / "run.db"))) as database, contextlib.suppress(
        sqlite3.Error
    ):
        if values:
            database.execute(text, values)
        else:
            database.executescript(text)
        database.commit()


def _cell(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put something else into a column, where the rows still have their check sums."""
    table = luck.choice(sorted(COLUMNS))
    column = luck.choice(COLUMNS[table])
    value = luck.choice(VALUES)
    _statement(run, f"UPDATE {table} SET {column} = ?", (value,))  # noqa: S608 - ours
    if table == "frames" and luck.random() < 0.7:  # noqa: PLR2004 - mostly
        _sign(run)


def _sign(run: Path) -> None:
    """Give each row of a frame the check sum that belongs to it."""
    with closing(sqlite3.connect(str(run / "run.db"))) as database:
        for row in database.execute(rows.SELECT_FRAMES).fetchall():
            with contextlib.suppress(TypeError):  # bytes have none
                text = json.dumps(row[:-1], separators=(",", ":"))
                crc = zlib.crc32(text.encode())
                database.execute("UPDATE frames SET crc = ? WHERE n = ?", (crc, row[0]))
        database.commit()


def _schema(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put views, triggers and foreign tables into the index."""
    _statement(run, luck.choice(SCHEMAS))


def _bytes(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Change bytes of the index, the header or a frame."""
    names = ("run.db", "run.json", "frames/here/0000000.jpeg")
    path = run / luck.choice(names)
    content = bytearray(path.read_bytes())
    for _ in range(luck.randint(1, 40)):
        content[luck.randrange(len(content))] = luck.randrange(256)
    path.write_bytes(bytes(content[: luck.choice((len(content), len(content) // 2))]))


def _header(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put something else into a member of ``run.json``."""
    path = run / "run.json"
    header: Any = json.loads(path.read_text("utf-8"))
    place = luck.choice((header, header["plan"], header["camera"]))
    name = luck.choice(sorted(place))
    odd: Tuple[Any, ...] = (
        None,
        [],
        {},
        -1,
        1e308,
        "9" * 400,
        10**400,
        [[[]]] * 50,
        *EVIL,
    )
    place[name] = luck.choice(odd)
    text = json.dumps(header)
    if luck.random() < 0.2:  # noqa: PLR2004 - sometimes
        text = text[:-1] + ', "deep": ' + "[" * 900 + "]" * 900 + "}"
    path.write_text(text, "utf-8")


def _links(run: Path, secrets: Path, luck: random.Random) -> None:
    """Put links out of the run where its files and folders are."""
    name = luck.choice(
        (
            "",
            "frames",
            "movies",
            "previews",
            "run.json",
            "run.db",
            "frames.csv",
            "record.json",
            "share",
            "run.db-wal",
            "run.db.new",
            "frames/here",
            "frames/here/0000003.jpeg",
        )
    )
    if not name:
        linked(run, secrets)
        return
    path = run / name
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(str(path))
        path.symlink_to(secrets / "folder")
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        path.symlink_to(luck.choice((secrets / "secret.txt", Path("/dev/zero"))))


def _names(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put files with impossible names among the frames."""
    here = run / "frames" / "here"
    names: Tuple[str, ...] = (
        "9" * 40 + ".jpeg",
        "0000009_z" + "9" * 30 + ".jpeg",
        "\x1b[2J.jpeg",
    )
    names += (".x.0123456789ab.part", "0000000.jpeg\n", "<script>.jpeg", "-rf")
    (here / luck.choice(names)).write_bytes(jpeg(5))
    os.mkfifo(str(here / "0000007.jpeg"))


def _text(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Have it say something harmful."""
    text = luck.choice(EVIL)
    if "\ud800" not in text:
        told_evil(run, text)


def _described(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put something else into what is known of the sample."""
    path = run / "record.json"
    text = luck.choice(EVIL).encode("utf-8", "surrogatepass")
    told = json.dumps({"title": luck.choice(EVIL), "photographer": luck.choice(EVIL)})
    wild = (b"", b"{", b"[" * 9000, text, told.encode(), b"\xff", b'{"title": NaN}')
    if luck.random() < 0.2:  # noqa: PLR2004 - sometimes
        os.mkfifo(str(path))
    else:
        path.write_bytes(luck.choice(wild))
    (run / "share").mkdir(exist_ok=True)
    odd = (b"[1, {}]", b"{", b"\xff", b'["gbif", "gbif", null]', b"[" * 9000)
    (run / "share" / "shared.json").write_bytes(luck.choice(odd))


def _bomb(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Put a picture that is small on disk and huge in memory into a frame's place."""
    path = run / "frames" / "here" / f"000000{luck.randrange(4)}.jpeg"
    size = luck.choice(((60_000, 60_000), (65_535, 65_535), (30_000, 30_000)))
    content = luck.choice((_jpeg_bomb, _png_bomb, _scans))(size)
    if luck.random() < 0.5:  # noqa: PLR2004 - half of them signed
        _listed(run, path, content)
    path.write_bytes(content)


def _jpeg_bomb(size: Tuple[int, int]) -> bytes:
    """Return a JPEG whose header says another size than its picture has."""
    content = bytearray(jpeg(1))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", size[1], size[0])
    return bytes(content)


def _png_bomb(size: Tuple[int, int]) -> bytes:
    """Return a PNG of one colour: gigabytes in memory."""
    head = struct.pack(">IIBBBBB", *size, 1, 0, 0, 0, 0)
    row = bytes(1 + size[0] // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(256)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    )


def _scans(_size: Tuple[int, int]) -> bytes:
    """Return a JPEG with thousands of scans, each of which costs a walk."""
    content = jpeg(1, (2000, 2000))
    at = content.index(b"\xff\xda")
    return content[:-2] + content[at:-2] * 40 + b"\xff\xd9"


def _listed(run: Path, path: Path, content: bytes) -> None:
    """Have the index say that this was acknowledged."""
    sha256, slot = hashlib.sha256(content).hexdigest(), int(path.name[:7])
    change = "UPDATE frames SET sha256 = ?, size_bytes = ? WHERE slot = ?"
    _statement(run, change, (sha256, len(content), slot))
    _sign(run)


def _record(run: Path, _secrets: Path, luck: random.Random) -> None:
    """Have a frame that no index lists say something harmful of itself."""
    path = run / "frames" / "here" / "0000000.jpeg"
    record = read_frame_record(path.read_bytes())
    if record is not None:
        told: Dict[str, Any] = {**vars(record.draft)}
        name = luck.choice(sorted(told))
        told[name] = luck.choice((2**63 - 1, -(2**62), 10**9, 1e308, EVIL[0], [], {}))
        with contextlib.suppress(Exception):  # what cannot be written is no attack
            odd = type(record.draft)(**told)
            changed = type(record)(**{**vars(record), "draft": odd})
            path.write_bytes(with_exif(jpeg(0), changed, {}))
    (run / "run.db").unlink()


HARMS: Mapping[str, Harm] = {
    "a cell of the index": _cell,
    "views, triggers, foreign tables": _schema,
    "changed bytes": _bytes,
    "a member of run.json": _header,
    "links out of the run": _links,
    "names of files, a FIFO": _names,
    "markup and terminal codes": _text,
    "the record of the sample": _described,
    "picture bombs": _bomb,
    "EXIF of a lost index": _record,
}
