"""Whatever a notebook does to its kernel, its runner and the runs after it have nothing of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from event_impact.base.root import IMPORT_ROOT, PACKAGE, StudyRoot
from event_impact.base.threads import ONE_THREAD
from event_impact.runs.store import is_intact, read_failures, read_runs
from small_study import SHOW, make_study, write_notebook

SPOIL = """
import gc, locale, os, random, signal, sys, warnings
import numpy as np, pandas as pd, matplotlib as mpl
import event_impact.base.config as config
config.MODELS = ("spoiled",)
os.chdir("/")
os.environ["SPOILED"] = "yes"
os.environ["TZ"] = "Pacific/Kiritimati"
mpl.rcParams["lines.linewidth"] = 77
pd.set_option("display.precision", 1)
np.seterr(all="ignore")
random.seed(1); np.random.seed(1)
warnings.simplefilter("error")
sys.path.insert(0, "/nowhere")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.umask(0o777)
leaked = [bytearray(64 << 20)]
gc.disable()
"""
LOOK = """
import gc, json, os, resource, signal, sys, warnings
import numpy as np, pandas as pd, matplotlib as mpl
import event_impact.base.config as config
seen = {
    "models": len(config.MODELS), "folder": os.getcwd(), "spoiled": os.environ.get("SPOILED"), "zone": os.environ.get("TZ"),
    "width": mpl.rcParams["lines.linewidth"], "precision": pd.get_option("display.precision"),
    "errors": np.geterr()["divide"], "path": "/nowhere" in sys.path, "umask": os.umask(0o022), "gc": gc.isenabled(),
    "term": str(signal.getsignal(signal.SIGTERM)), "error": any(f[0] == "error" for f in warnings.filters),
    "is_small": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 600 << 10,
}
open(os.environ["IMPACT_ROOT"] + "/seen-" + story + ".json", "w").write(json.dumps(seen))
"""


def call(root: StudyRoot, *words: str, **more: object) -> subprocess.Popen[str]:
    """The command, in a process that can be forked."""
    environment = {
        **os.environ,
        **ONE_THREAD,
        "PYTHONPATH": str(IMPORT_ROOT),
        "XDG_CACHE_HOME": str(root.path / ".cache"),
    }
    environment |= {k: str(v) for k, v in more.items()}
    words = (sys.executable, "-P", "-m", "event_impact.cli.main", "--root", str(root.path), *words)
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(root: StudyRoot, *words: str, **more: object) -> tuple[int, str]:
    """Exit code, and what was said."""
    process = call(root, *words, **more)
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


def dossier(root: StudyRoot, *words: str) -> tuple[int, str]:
    return run(root, "dossier", "ford-xiaomi", "--as-of", "2026-02-13", *words)


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    return make_study(tmp_path / "study")


def test_a_run_that_changes_everything_leaves_the_next_untouched(root: StudyRoot) -> None:
    write_notebook(root.notebooks / "00_before.ipynb", LOOK.replace("/seen-", "/before-"), SHOW)
    write_notebook(root.notebooks / "01_small.ipynb", SPOIL, SHOW)
    write_notebook(root.notebooks / "02_after.ipynb", LOOK, SHOW)
    code, said = dossier(root, "--limit", "1")
    assert code == 0, said
    before, after = (json.loads((root.path / f"{n}-ford-xiaomi.json").read_text()) for n in ("before", "seen"))
    assert after == before
    assert before["folder"] == str(root.path)
    assert before["is_small"]
    published = [path for path in root.reports.iterdir() if path.name[:4] == "2026"]
    assert all(path.stat().st_mode & 0o700 == 0o700 for path in published)


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("killed", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "kernel died"),
        ("deaf", "import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos._exit(3)", "kernel died"),
        ("hoards", "hoard = bytearray(6 << 30)", "MemoryError"),
        (
            "hangs",
            "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(600)",
            "longer than 3",
        ),
    ],
)
def test_a_forked_kernel_that_ends_badly_ends_one_run(root: StudyRoot, name: str, cell: str, said: str) -> None:
    write_notebook(root.notebooks / f"02_{name}.ipynb", cell, SHOW)
    request = ("--story", "ford-xiaomi", "--as-of", "2026-02-13")
    code, text = run(root, "run", f"02_{name}", *request, "--timeout", "3", "--memory", "4096")
    assert (code, said in text) == (4, True), text
    assert len(read_failures(root.reports)) == 1
    assert run(root, "run", "01_small", *request)[0] == 0
    assert_nothing_left(root)


def find_processes(root: StudyRoot) -> list[int]:
    """Processes of this user whose environment names the study."""
    found, mark = [], f"IMPACT_ROOT={root.path}\0".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if int(folder.name) != os.getpid() and state != "Z" and mark in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def assert_nothing_left(root: StudyRoot) -> None:
    """No process of the study, and nothing that was staged."""
    deadline = time.monotonic() + 30
    while find_processes(root) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert find_processes(root) == []
    assert not list((root.reports / ".staging").glob("*/*"))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_dossier_tidies_up(root: StudyRoot, signum: int) -> None:
    mark = root.path / "started"
    write_notebook(root.notebooks / "02_slow.ipynb", f"import time\nopen({str(mark)!r}, 'w')\ntime.sleep(600)", SHOW)
    process = call(root, "dossier", "ford-xiaomi", "--as-of", "2026-02-13", IMPACT_ROOT=root.path)
    deadline = time.monotonic() + 120
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert_nothing_left(root)
    (root.notebooks / "02_slow.ipynb").unlink()
    assert dossier(root)[0] == 0


def test_a_killed_dossier_takes_its_workers_and_kernels_with_it(root: StudyRoot) -> None:
    mark = root.path / "started"
    write_notebook(root.notebooks / "02_slow.ipynb", f"import time\nopen({str(mark)!r}, 'w')\ntime.sleep(600)", SHOW)
    process = call(root, "dossier", "ford-xiaomi", "--as-of", "2026-02-13", IMPACT_ROOT=root.path)
    deadline = time.monotonic() + 120
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=60)
    (root.notebooks / "02_slow.ipynb").unlink()
    assert dossier(root)[0] == 0  # the lock went with its process; the next run clears what is left
    assert_nothing_left(root)


def test_ten_at_once_of_ten_requests_publish_or_say_that_they_must_wait(root: StudyRoot) -> None:
    words = ("run", "01_small", "--story", "ford-xiaomi", "--as-of", "2026-02-13", "-p")
    started = [call(root, *words, f"seed={number}") for number in range(10)]
    codes = [(process.communicate(timeout=300), process.returncode)[1] for process in started]
    assert set(codes) <= {0, 75}
    assert len(read_runs(root.reports)) == codes.count(0) >= 1
    assert all(is_intact(stored.folder) for stored in read_runs(root.reports))
    assert_nothing_left(root)


def test_code_that_is_edited_between_two_runs_is_never_stale(root: StudyRoot, tmp_path: Path) -> None:
    """The first notebook edits the package; the second, of the same command, runs what stands there now."""
    copy = Path(shutil.copytree(PACKAGE, tmp_path / "code/event_impact"))
    target = copy / "base/places.py"
    edit = f"open({str(target)!r}, 'a').write('\\nEDITED = 1\\n')"
    look = (
        f"import event_impact.base.places as p\nopen({str(root.path / 'seen')!r}, 'w').write(str(hasattr(p, 'EDITED')))"
    )
    write_notebook(root.notebooks / "01_small.ipynb", edit, SHOW)
    write_notebook(root.notebooks / "02_after.ipynb", look, SHOW)
    words = ("dossier", "ford-xiaomi", "--as-of", "2026-02-13", "--limit", "1")
    code, said = run(root, *words, PYTHONPATH=copy.parent)
    assert code == 4
    assert "01_small: the code of event_impact changed while it ran" in said
    assert (root.path / "seen").read_text() == "True"
    (after,) = [stored for stored in read_runs(root.reports) if stored.run.notebook == "02_after"]
    assert is_intact(after.folder)
