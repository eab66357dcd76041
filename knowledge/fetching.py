"""Downloads public documents from their publishers, politely, and makes sure that they are the right ones."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from knowledge.errors import KnowledgeError
from knowledge.manifest import PublicDocument

USER_AGENT = "Mozilla/5.0 (compatible; smartgrid-ai knowledge fetch; one document at a time)"
TIMEOUT_S = 30.0
ATTEMPTS = 3
LONGEST_WAIT_S = 60.0
LARGEST_BYTES = 200_000_000
BLOCK_BYTES = 1 << 16
PAGES_LOOKED_AT = 4

Pause = Callable[[float], None]


class FetchError(KnowledgeError):
    """A document could not be downloaded; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one document.

    Attributes:
        document: its id.
        status: ``there``: it had been fetched before.
        path: of the file; None when it failed.
        reason: why it failed.
    """

    document: str
    status: Literal["fetched", "there", "failed"]
    path: Path | None = None
    reason: str = ""


def fetch(document: PublicDocument, folder: Path, *, pause: Pause = time.sleep) -> Fetched:
    """Download a document, unless a good copy is there.

    Args:
        document: of the manifest.
        folder: where to keep it.
        pause: waits so many seconds.

    Returns:
        Where it is, or what went wrong at each of its addresses. Nothing that failed its verification
        stays under the document's name.
    """
    path = folder / document.file_name
    if path.is_file() and problem_of(path, document.expect) is None:
        return Fetched(document.id, "there", path)
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for address in document.addresses:
        try:
            _fetch_verified(address, path, document.expect, pause)
        except FetchError as error:
            problems.append(str(error))
        else:
            return Fetched(document.id, "fetched", path)
    by_hand = f"; or download it by hand and save it as {path}"
    return Fetched(document.id, "failed", reason="; ".join(problems) + by_hand)


def _fetch_verified(address: str, path: Path, expect: tuple[str, ...], pause: Pause) -> None:
    part = path.with_name(path.name + ".part")
    resumed = part.exists()
    download(address, part, pause=pause)
    problem = problem_of(part, expect)
    if problem is not None and resumed:  # perhaps the halves of two versions
        part.unlink()
        download(address, part, pause=pause)
        problem = problem_of(part, expect)
    if problem is not None:
        part.unlink()
        raise FetchError(f"{address}: {problem}")
    part.replace(path)


def download(address: str, path: Path, *, pause: Pause = time.sleep) -> None:
    """Download to ``path``; what is there already is continued where the server can do that.

    Raises:
        FetchError: when it cannot be reached, is refused, is too large or breaks off each time.
    """
    if not address.startswith(("https://", "http://")):
        raise FetchError(f"{address}: give an address that begins with https://")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _take(address, path)
        except HTTPError as error:
            if error.code == 416:  # nothing is left to send: the file is complete, or of another version
                return
            if error.code not in {429, 500, 502, 503, 504} or attempt == ATTEMPTS:
                raise FetchError(f"{address}: the server answers {error.code} {error.reason}") from None
            pause(_wait_s(error, attempt))
        except (URLError, HTTPException, OSError) as error:
            if attempt == ATTEMPTS:
                reason = getattr(error, "reason", None) or error
                raise FetchError(
                    f"{address}: cannot be downloaded ({reason}); fetch on a machine with internet"
                ) from None
            pause(float(attempt))
        else:
            return


def _take(address: str, path: Path) -> None:
    """One request: appends where the server continues, begins anew where it does not."""
    have = path.stat().st_size if path.exists() else 0
    headers = {"User-Agent": USER_AGENT, "Accept": "application/pdf"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = Request(address, headers=headers)  # noqa: S310  download() lets no other scheme through
    with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        continues = response.status == 206
        with path.open("ab" if continues else "wb") as file:
            _copy(response, file.write, address, have if continues else 0)


def _copy(response: HTTPResponse, write: Callable[[bytes], object], address: str, have: int) -> None:
    announced = response.headers.get("Content-Length")
    taken = 0
    while block := response.read(BLOCK_BYTES):
        taken += len(block)
        if have + taken > LARGEST_BYTES:
            raise FetchError(f"{address}: larger than {LARGEST_BYTES // 1_000_000} MB")
        write(block)
    if announced is not None and announced.isdigit() and taken < int(announced):
        raise ConnectionError(f"broke off after {taken} of {announced} bytes")


def _wait_s(error: HTTPError, attempt: int) -> float:
    """What the server asks for, within reason."""
    asked = error.headers.get("Retry-After", "")
    return min(LONGEST_WAIT_S, float(asked) if asked.isdigit() else 2.0**attempt)


def problem_of(path: Path, expect: tuple[str, ...]) -> str | None:
    """Why a file is not the document that it should be; None when it is.

    Args:
        path: of the file.
        expect: words that must stand on its first pages.
    """
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            return "what was sent is no PDF (a web page that asks for a browser, perhaps)"
    try:
        pages = PdfReader(path).pages
        text = " ".join(pages[number].extract_text() for number in range(min(PAGES_LOOKED_AT, len(pages))))
    # pypdf lets errors of its own code through on damaged files.
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return "the PDF is damaged or encrypted"
    missing = [words for words in expect if _plain(words) not in _plain(text)]
    if missing:
        return f"it is another document: {', '.join(missing)} does not stand on its first pages"
    return None


def _plain(text: str) -> str:
    """Without the differences that typesetting makes."""
    return re.sub(r"\s+", " ", re.sub(r"[\u2010-\u2015\u2212]", "-", text)).casefold()
