"""A page as PDF, by whichever Chromium is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from event_impact.base.disk import replace_files
from event_impact.base.errors import RenderError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
VARIABLE = "IMPACT_CHROMIUM"
TIMEOUT_S = 120


def find_browser() -> str:
    """Path of a Chromium: the one that ``IMPACT_CHROMIUM`` names, else the first found.

    Raises
    ------
    RenderError
        If there is none.
    """
    named = os.environ.get(VARIABLE)
    for name in (named,) if named else BROWSERS:
        if path := shutil.which(name):
            return path
    looked = named or ", ".join(BROWSERS)
    hint = f"Install one (Debian: apt install chromium), name it in {VARIABLE}, or print the page from any browser."
    raise RenderError(f"no Chromium was found (looked for {looked}).", hint)


def print_page(page: Path, target: Path) -> None:
    """Print one page; the file appears whole or not at all.

    Raises
    ------
    RenderError
        If there is no Chromium, it fails, or the file cannot be written.
    """
    browser = find_browser()
    with tempfile.TemporaryDirectory(prefix="impact-print-") as scratch:
        pdf = Path(scratch) / "page.pdf"
        command = [
            browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-extensions",
            "--disable-background-networking", f"--user-data-dir={scratch}/profile", "--no-pdf-header-footer",
            f"--print-to-pdf={pdf}",
        ]  # fmt: skip
        if hasattr(os, "getuid") and os.getuid() == 0:
            command.append("--no-sandbox")  # Chromium refuses to run as root otherwise; the page has no script
        try:
            done = subprocess.run(
                [*command, page.as_uri()], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RenderError(f"{browser} did not print: {error}.", "Try again, or print from a browser.") from error
        content = pdf.read_bytes() if pdf.is_file() else b""
        if not content.startswith(b"%PDF"):
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            told = f"{browser} wrote no PDF (exit code {done.returncode}: {said[:200]})."
            raise RenderError(told, "Print from a browser.")
        replace_files({target: content})
