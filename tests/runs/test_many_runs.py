"""Many runs on a cluster: one story one worker, outcomes in the order that was asked."""

import pytest
from event_impact.base.errors import ConfigError
from event_impact.runs import many_runs
from event_impact.runs.dossier import DossierRequest
from event_impact.runs.many_runs import run_many
from event_impact.runs.run import RunRequest
from event_impact.runs.workers import PartOutcome


@pytest.fixture
def address():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def ask(root, tmp_path, story, notebook):
    return RunRequest(notebook, {"story": story, "as_of": "2026-02-13"}, root, tmp_path)


def test_requests_of_one_story_stay_together_and_outcomes_keep_their_order(root, tmp_path, address, monkeypatch):
    def in_turn(requests):
        together = " ".join(r.notebook for r in requests)
        stories = [r.parameters["story"] for r in requests]
        if "c" in stories:
            raise MemoryError("a worker at its end")
        return [
            PartOutcome(r.notebook, 3 * (story == "b"), story, message=together)
            for r, story in zip(requests, stories, strict=True)
        ]

    monkeypatch.setattr(many_runs, "run_in_turn", in_turn)
    asked = [("a", "01_x"), ("b", "01_x"), ("a", "02_y"), ("c", "01_x")]
    found = run_many([ask(root, tmp_path, *each) for each in asked], address)
    assert [(p.folder, p.notebook, p.exit_code, p.message) for p in found.parts[:3]] == [
        ("a", "01_x", 0, "01_x 02_y"), ("b", "01_x", 3, "01_x"), ("a", "02_y", 0, "01_x 02_y"),
    ]  # fmt: skip
    assert found.parts[3].exit_code == 4
    assert "MemoryError" in found.parts[3].message
    assert found.exit_code == 4


def test_a_refused_request_is_an_outcome(root, tmp_path):
    run, dossier = many_runs.run_in_turn(
        [
            ask(root, tmp_path, "no-such-story", "02_event_study"),
            DossierRequest(root, tmp_path, {"story": "no-such-story", "as_of": "2026-02-13"}),
        ]
    )
    assert (run.exit_code, run.notebook) == (2, "02_event_study")
    assert (dossier.exit_code, dossier.notebook) == (2, "dossier")
    assert "unknown story" in dossier.message


def test_an_address_that_is_none_is_refused(root, tmp_path):
    with pytest.raises(ConfigError):
        run_many([ask(root, tmp_path, "a", "01_x")], "somewhere")
