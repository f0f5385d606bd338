"""Questions about a machine, each answered both ways."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from event_impact.base.root import StudyRoot
from event_impact.runs import doctor
from event_impact.runs.doctor import examine, verdict_code
from event_impact.runs.run import run_notebook
from event_impact.runs.store import lock_story
from packaging.requirements import Requirement
from small_study import execute_fake, make_study, request

AT = datetime(2026, 2, 17, 22, 0, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> StudyRoot:
    made = make_study(tmp_path / "study")
    run_notebook(request(made, clock=lambda: AT), execute=execute_fake)
    return made


def ask(root: StudyRoot, at: datetime = AT) -> dict[str, doctor.Diagnosis]:
    return {f.question: f for f in examine(root, root.reports, at=at, with_kernel=False)}


def test_a_healthy_machine(root: StudyRoot) -> None:
    found = ask(root)
    assert {f.state for f in found.values()} <= {"ok", "warn"}
    assert found["packages"].state == "ok"
    assert found["figures (ford-xiaomi)"].state == "warn"
    assert verdict_code(list(found.values())) == 0


def test_a_kernel_that_starts_and_one_that_does_not(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    (good,) = doctor.check_kernel(root)
    assert good.state == "ok"
    monkeypatch.setattr("event_impact.runs.kernel.sys.executable", "/bin/false")
    (bad,) = doctor.check_kernel(root)
    assert (bad.state, bad.exit_code) == ("fail", 4)


def test_what_is_wrong_is_found(root: StudyRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(root, datetime(2026, 1, 5, tzinfo=UTC))["clock"].state == "warn"
    late = ask(root, datetime(2028, 1, 5, tzinfo=UTC))
    assert late["calendar (XNYS)"].state == "fail"
    assert verdict_code(list(late.values())) == 3
    left = root.reports / ".staging/ford-xiaomi/half"
    left.mkdir(parents=True)
    assert "ford-xiaomi" in ask(root)["leftovers"].answer
    with lock_story(root.reports, "ford-xiaomi"):
        found = ask(root)
        assert found["leftovers"].state == "ok"
        assert "ford-xiaomi.lock is held (pid" in found["locks"].answer
    (run,) = [p for p in root.reports.iterdir() if p.name.startswith("2026")]
    (run / "report.html").write_text("cut", encoding="utf-8")
    assert run.name in ask(root)["runs"].answer
    monkeypatch.setattr(doctor, "read_requirements", lambda: [Requirement("numpy>=99"), Requirement("no-such-package")])
    packages = ask(root)["packages"]
    assert packages.exit_code == 4
    assert "is not >=99; no-such-package is missing" in packages.answer
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**18)
    assert verdict_code(list(ask(root).values())) == 4


def test_a_question_that_cannot_be_asked_is_a_failure(root: StudyRoot) -> None:
    (root.data / "stories.csv").write_text("broken", encoding="utf-8")
    assert ask(root)["figures"].exit_code == 3
