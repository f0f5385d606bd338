"""Recognising syndicated copies without keeping a text: hashes of overlapping runs of words.

Of each text the smallest :data:`SKETCH` hashes of its runs of :data:`RUN` words are kept (a bottom-k
sketch, Broder 1997). Two sketches estimate how much of one text stands in the other; the words cannot be
read back from them.
"""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from event_impact.base.csv_tables import Tables, check_row

FINGERPRINT_COLUMNS = ("article_id", "text_sha256", "runs", "sketch")
RUN = 5
SKETCH = 128
#: Hexadecimal digits kept of each hash: 48 bits.
DIGITS = 12
#: Share of the shorter text's runs that also stand in the longer one, from which it is a copy.
COPY_SHARE = 0.6
#: Texts with fewer runs are compared by their hash alone.
MIN_RUNS = 40
#: A paraphrase may not repeat this many consecutive words of its page.
COPIED_WORDS = 8
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]+")


@dataclass(frozen=True)
class Fingerprint:
    """The hash of a text and the sketch of its runs.

    Attributes
    ----------
    runs : int
        Number of distinct runs.
    sketch : tuple of str
        The smallest hashes, ascending; all of them when there are fewer than :data:`SKETCH`.
    """

    text_sha256: str
    runs: int
    sketch: tuple[str, ...]

    def as_row(self, article_id: str) -> dict[str, str]:
        """A row of ``fingerprints.csv``."""
        cells = (article_id, self.text_sha256, str(self.runs), " ".join(self.sketch))
        return dict(zip(FINGERPRINT_COLUMNS, cells, strict=True))


@dataclass(frozen=True)
class Copy:
    """An earlier article that a text repeats."""

    article_id: str
    share: float
    is_identical: bool


def tokenize(text: str) -> list[str]:
    """Words in lower case; an ideograph, kana or syllable block is a word of its own."""
    return TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())


def fingerprint_text(text: str) -> Fingerprint:
    """The fingerprint of a text; spacing, case, punctuation and markup do not change it."""
    words = tokenize(text)
    whole = hashlib.sha256(" ".join(words).encode()).hexdigest()
    runs = {" ".join(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}
    hashes = sorted(hashlib.blake2b(run.encode(), digest_size=DIGITS // 2).hexdigest() for run in runs)
    return Fingerprint(whole, len(runs), tuple(hashes[:SKETCH]))


def estimate_overlap(one: Fingerprint, other: Fingerprint) -> float:
    """Share of the runs of the shorter text that the longer one holds too, between 0 and 1.

    The share J of common hashes among the k smallest of both together estimates |A and B| / |A or B|;
    with |A or B| = (|A| + |B|) / (1 + J) the overlap is J (|A| + |B|) / ((1 + J) min(|A|, |B|)).
    """
    if not one.runs or not other.runs:
        return 0.0
    smallest = sorted({*one.sketch, *other.sketch})[:SKETCH]
    common = set(one.sketch) & set(other.sketch)
    similarity = sum(value in common for value in smallest) / len(smallest)
    return min(1.0, similarity * (one.runs + other.runs) / (1 + similarity) / min(one.runs, other.runs))


def find_copy(fingerprint: Fingerprint, known: dict[str, Fingerprint]) -> Copy | None:
    """The known article that a text repeats most, if it repeats one."""
    found = []
    for article_id, other in known.items():
        if other.text_sha256 == fingerprint.text_sha256:
            return Copy(article_id, 1.0, True)
        is_long = min(other.runs, fingerprint.runs) >= MIN_RUNS
        if is_long and (share := estimate_overlap(fingerprint, other)) >= COPY_SHARE:
            found.append(Copy(article_id, share, False))
    return max(found, key=lambda copy: copy.share, default=None)


def load_fingerprints(data: Path) -> dict[str, Fingerprint]:
    """Fingerprints of the articles added so far; none if the file does not exist yet.

    Raises
    ------
    DataError
        For a malformed row.
    """
    tables = Tables(data)
    if not tables.holds("fingerprints.csv"):
        return {}
    known: dict[str, Fingerprint] = {}
    for row in tables.read("fingerprints.csv", FINGERPRINT_COLUMNS).to_dict("records"):
        sketch = tuple(row["sketch"].split())
        is_whole = row["runs"].isdigit() and len(sketch) == min(int(row["runs"]), SKETCH)
        is_whole &= all(re.fullmatch(rf"[0-9a-f]{{{DIGITS}}}", mark) for mark in sketch)
        check_row(is_whole, f"fingerprints.csv, {row['article_id']}", "the row is damaged", "Delete the row.")
        known[row["article_id"]] = Fingerprint(row["text_sha256"], int(row["runs"]), sketch)
    return known


def find_copied_run(paraphrase: str, text: str) -> str:
    """The first run of :data:`COPIED_WORDS` words that a paraphrase takes from a page, empty if none.

    An ideograph or syllable block counts half a word.
    """
    words = tokenize(paraphrase)
    page = "\x1f" + "\x1f".join(tokenize(text)) + "\x1f"
    for start in range(len(words)):
        for end in range(start + 1, len(words) + 1):
            run = words[start:end]
            if sum(0.5 if TOKEN.fullmatch(w) and w >= "\u3040" else 1.0 for w in run) >= COPIED_WORDS:
                if "\x1f" + "\x1f".join(run) + "\x1f" in page:
                    return " ".join(run)
                break
    return ""
