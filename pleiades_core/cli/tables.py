"""Which columns of a table fit into a terminal, and how wide each of them is.

An id, a number or a time is shown whole or not at all: half of an id is of no use, and cannot be copied. If the terminal is too
narrow, columns are left out, the expendable ones first. Titles are shortened, sentences are wrapped between words.

Belongs here: the arithmetic, without any terminal. Does not belong here: printing (output.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from rich.cells import cell_len

#: Cells: an edge and a blank on each side of a column; and one more edge for the whole table.
FRAME_OF_COLUMN, FRAME = 3, 1
#: Cells of the shortest piece of a title that is of use.
_SHORTEST_TEXT = 16
#: Letters of the longest id, that of a playlist. A longer word, such as an address in a description, may be broken.
LONGEST_ID = 34
#: Cells of a line of prose if there is no bound.
PROSE = 120
#: A longer text of several words is a title or a sentence. Instants have 19 cells, channel ids 24.
_LONGEST_EXACT = 24
#: Ids, addresses, check-sums (64 letters).
_ONE_WORD = re.compile(r"[!-~]{0,64}")
#: Numbers, times and intervals of them: "8,950 (8,875 to 9,025)".
_NUMBERS = re.compile(r"(?:[\d.,:%()+-]+|of|to)(?: (?:[\d.,:%()+-]+|of|to))*")


class Kind(Enum):
    """How the cells of a column may be fitted."""

    #: Shown whole, on one line.
    EXACT = "exact"
    #: May end with an ellipsis if room is short.
    TITLE = "title"
    #: Wrapped between words.
    PROSE = "prose"


@dataclass(frozen=True, slots=True)
class Column:
    """A column and its widths, in cells of a terminal."""

    name: str
    kind: Kind
    #: With less room it is left out.
    narrowest: int
    widest: int


def column(name: str, texts: Sequence[str], *, prose: bool = False) -> Column:
    """The column of some texts. Its kind follows from the texts.

    Args:
        name: the heading.
        texts: the cells.
        prose: the cells are sentences.

    Returns:
        The column.
    """
    head = max(map(cell_len, name.split()), default=0)
    widest = max(map(cell_len, texts), default=0)
    if prose:
        longest_word = max((cell_len(word) for each in texts for word in each.split()), default=0)
        narrowest = max(head, min(longest_word, LONGEST_ID), min(widest, _SHORTEST_TEXT))
        return Column(name, Kind.PROSE, narrowest, max(cell_len(name), widest))
    if widest > _LONGEST_EXACT and not all(_ONE_WORD.fullmatch(each) or _NUMBERS.fullmatch(each) for each in texts):
        return Column(name, Kind.TITLE, max(head, _SHORTEST_TEXT), max(cell_len(name), widest))
    return Column(name, Kind.EXACT, max(head, widest), max(cell_len(name), widest))


def widths(columns: Sequence[Column], room: int | None, expendable: Sequence[str] = ()) -> dict[int, int]:
    """The width of each column that is shown, by its place.

    Args:
        columns: From left to right.
        room: Cells of a line, the table's frame included. None: nothing bounds it, and every column is shown.
        expendable: Names of columns, the first to be left out first. After them columns go from the right.

    Returns:
        Place in `columns` → cells. At least one column, even where it does not fit.

    """
    if room is None:
        return {
            place: column.widest if column.kind is Kind.EXACT else min(column.widest, PROSE)
            for place, column in enumerate(columns)
        }
    order = [place for name in expendable for place, column in enumerate(columns) if column.name == name]
    order += [place for place in reversed(range(len(columns))) if place not in order]
    shown = list(range(len(columns)))
    while len(shown) > 1 and needed(columns[place].narrowest for place in shown) > room:
        shown.remove(order.pop(0))
    found = {place: columns[place].narrowest for place in shown}
    spare = room - needed(found.values())
    # Columns that want least go first: the rest is for the other columns.
    wanting = sorted(shown, key=lambda place: columns[place].widest - columns[place].narrowest)
    for number, place in enumerate(wanting):
        more = max(0, min(columns[place].widest - found[place], spare // (len(wanting) - number)))
        found[place] += more
        spare -= more
    return found


def needed(cells: Iterable[int]) -> int:
    """Cells of a line of a table whose columns have these widths."""
    return sum(width + FRAME_OF_COLUMN for width in cells) + FRAME
