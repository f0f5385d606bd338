"""The one atomic writer and the locks: whole or absent, with the right rights, refused in a sentence."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from event_impact.base import disk
from event_impact.base.errors import BusyError, DataError, RenderError
from event_impact.base.root import IMPORT_ROOT, PACKAGE


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refuse(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_file_keeps_its_rights_and_a_new_one_has_the_user_s(tmp_path):
    held, fresh = tmp_path / "held", tmp_path / "fresh"
    held.write_text("old")
    held.chmod(0o640)
    before = os.umask(0o027)
    try:
        disk.replace_files({held: "new", fresh: b"\r\n"})
    finally:
        os.umask(before)
    assert (held.read_text(), rights(held)) == ("new", 0o640)
    assert (fresh.read_bytes(), rights(fresh)) == (b"\r\n", 0o640)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_every_file_as_it_was(tmp_path, monkeypatch, call):
    (tmp_path / "one").write_text("old")
    monkeypatch.setattr(disk.os, call, refuse)
    with pytest.raises(DataError, match="No space left on device"):
        disk.replace_files({tmp_path / "one": "new", tmp_path / "two": "new"}, refusal=DataError)
    assert names(tmp_path) == ["one"]
    assert (tmp_path / "one").read_text() == "old"


def test_readers_never_see_half_a_file(tmp_path):
    target, texts = tmp_path / "page", ("a" * 2**20, "b" * 2**20)
    target.write_text(texts[0])
    seen, is_done = set(), threading.Event()

    def read() -> None:
        while not is_done.is_set():
            seen.add(target.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(20):
        disk.replace_files({target: texts[number % 2]})
    is_done.set()
    reader.join()
    assert seen <= set(texts)


def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "precious").write_text("keep")
    (tmp_path / "index").symlink_to(tmp_path / "precious")
    disk.replace_files({tmp_path / "index": "page"})
    assert (tmp_path / "precious").read_text() == "keep"
    assert not (tmp_path / "index").is_symlink()


def test_a_folder_is_published_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "runs" / "run"
    with disk.staging_folder(tmp_path / "staging" / "run") as staging:
        (staging / "results").mkdir()
        disk.write_text(staging / "results" / "a.csv", "1\n")
        with monkeypatch.context() as patch:
            patch.setattr(disk.os, "rename", refuse)
            with pytest.raises(RenderError, match="No space left"):
                disk.publish_folder(staging, target)
        assert not target.exists()
        assert disk.publish_folder(staging, target) == target
    assert (target / "results" / "a.csv").read_text() == "1\n"
    assert not (tmp_path / "staging" / "run").exists()
    with disk.staging_folder(tmp_path / "staging" / "run") as staging, pytest.raises(RenderError, match="not empty"):
        disk.publish_folder(staging, target)
    assert disk.find_free_name(target) == tmp_path / "runs" / "run-2"


def test_everything_in_a_published_folder_is_forced_to_disk_first(tmp_path, monkeypatch):
    forced, sync = set(), os.fsync

    def note(descriptor: int) -> None:
        forced.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(disk.os, "fsync", note)
    with disk.staging_folder(tmp_path / "staging") as staging:
        (staging / "results").mkdir()
        for name in ("page", "results/a.csv"):
            (staging / name).write_text("x")
        disk.publish_folder(staging, tmp_path / "run")
    inside = {str(tmp_path / "staging" / name) for name in ("", "page", "results", "results/a.csv")}
    assert {path.rstrip("/") for path in inside} | {str(tmp_path)} == forced


def test_what_a_dead_writer_left_in_a_staging_folder_is_not_published(tmp_path):
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "half").write_text("x")
    with disk.staging_folder(tmp_path / "staging") as staging:
        assert names(staging) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("make", [disk.make_folder, disk.check_folder])
def test_a_folder_that_cannot_be_is_refused_in_a_sentence(make):
    with pytest.raises(
        RenderError, match=r"^/proc/foo cannot be written \(.+\); nothing was changed\. Make the folder"
    ):
        make(Path("/proc/foo"))


def test_asking_whether_a_folder_can_be_written_leaves_no_trace(tmp_path):
    disk.check_folder(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    disk.check_folder(tmp_path)
    assert names(tmp_path) == []


# ---------------------------------------------------------------- locks


def test_a_lock_is_held_once_and_says_by_whom(tmp_path):
    assert not disk.is_locked(tmp_path / "x.lock")
    assert names(tmp_path) == []
    with disk.hold_lock(tmp_path, "x.lock", "busy"):
        assert disk.is_locked(tmp_path / "x.lock")
        with (
            pytest.raises(BusyError, match=rf"^busy \(pid {os.getpid()} since 20"),
            disk.hold_lock(tmp_path, "x.lock", "busy"),
        ):
            pass
        assert disk.read_holder(tmp_path / "x.lock").startswith(f"pid {os.getpid()}")  # the refused one left it alone
    assert not disk.is_locked(tmp_path / "x.lock")
    with disk.hold_lock(tmp_path, "x.lock", "busy"):
        pass


def test_a_lock_waits_as_long_as_it_may(tmp_path):
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with disk.hold_lock(tmp_path, "x.lock", "busy"):
            is_held.set()
            may_end.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(30)
    threading.Timer(0.2, may_end.set).start()
    with disk.hold_lock(tmp_path, "x.lock", "busy", wait_s=30.0):
        holder.join(30)
        assert not holder.is_alive()


@pytest.mark.parametrize("signum", [9, 15])
def test_a_lock_goes_with_its_process(tmp_path, signum):
    code = (
        "import sys, time, pathlib\n"
        "from event_impact.base.disk import hold_lock\n"
        "with hold_lock(pathlib.Path(sys.argv[1]), 'x.lock', 'busy'):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(IMPORT_ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    with process:
        assert process.stdout.readline() == "held\n"
        assert disk.is_locked(tmp_path / "x.lock")
        process.send_signal(signum)
    deadline = time.monotonic() + 10
    while disk.is_locked(tmp_path / "x.lock") and time.monotonic() < deadline:
        time.sleep(0.01)
    with disk.hold_lock(tmp_path, "x.lock", "busy"):
        pass


def test_a_lock_where_nothing_can_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(DataError, match="cannot be written"),
        disk.hold_lock(tmp_path / "file", "x.lock", "busy", refusal=DataError),
    ):
        pass


def test_no_module_asks_for_a_library_of_one_system_when_it_is_imported():
    """``fcntl``, ``resource`` and ``pwd`` are not everywhere; a function that needs one asks for it itself."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                asked = {a.name for a in node.names} | {getattr(node, "module", None)}
                assert not asked & {"fcntl", "resource", "pwd", "grp", "termios"}, path
