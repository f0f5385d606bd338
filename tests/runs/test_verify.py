"""``impact verify``: a run that follows from its inputs agrees, and any number changed by hand is found."""

from __future__ import annotations

import json
import shutil

import nbformat
import pytest
from click.testing import CliRunner
from event_impact.base.errors import ConfigError, DataError
from event_impact.cli.main import main
from event_impact.runs import verify as module
from event_impact.runs.run import run_notebook
from event_impact.runs.verify import compare_inputs, compare_table, compare_values, is_same, verify_run
from small_study import RECORD, make_study, request

ESTIMATES = (
    "return_kind,estimate,is_primary,note\nclose_to_close,-0.010351058999815045,true,\nopen,0.5,false,n/a here\n"
)


def record(estimate: float = -0.01, table: str = ESTIMATES) -> dict:
    return {
        "run": {
            "schema_version": 2, "story": "ford-xiaomi", "as_of": "2026-02-13", "status": "final",
            "outcome": "no_detectable_effect", "companion_outcome": "no_detectable_effect", "verdict": "Nothing seen.",
            "plain": "Nothing.", "event_session": "2026-02-02", "headline": {"estimate": estimate, "df": 248, "note": ""},
            "companion": {"estimate": None}, "identified": {"kind": "joint"}, "parameters": {}, "vintage": "none",
        },
        "tables": {"estimates": table},
    }  # fmt: skip


def fake(content: dict):
    """An executor that leaves the given record at once."""

    def execute(notebook_path, target, **_):
        notebook = nbformat.read(notebook_path, as_version=4)
        for count, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
            cell.execution_count = count
            cell.outputs = []
        output = nbformat.v4.new_output("display_data", data={RECORD: content, "text/plain": "record"})
        notebook.cells[-1].outputs = [output]
        nbformat.write(notebook, target)
        return notebook

    return execute


@pytest.fixture
def published(tmp_path):
    root = make_study(tmp_path / "study")
    return root, run_notebook(request(root), execute=fake(record())).folder


def check(published, content=None):
    root, folder = published
    return verify_run(folder, root, execute=fake(content or record()))


def rewrite(folder, old: str, new: str, name: str = "results/estimates.csv") -> None:
    path = folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_untouched_run_agrees(published):
    found = check(published)
    assert (found.tables, found.numbers) == (1, 4)
    assert found.inputs >= 5


def test_a_number_changed_by_hand_is_named_by_file_row_and_column(published):
    rewrite(published[1], "-0.010351058999815045", "-0.010351058")
    with pytest.raises(
        DataError, match=r"results/estimates.csv, row 1, column estimate: published '-0.010351058'"
    ) as e:
        check(published)
    assert e.value.exit_code == 3


def test_rounding_of_another_processor_is_no_difference(published):
    rewrite(published[1], "-0.010351058999815045", "-0.0103510589998150")
    assert check(published).numbers == 4


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("true", "false", "row 1, column is_primary"),
        ("n/a here", "n/a there", "row 2, column note"),
        (",0.5,", ",,", "row 2, column estimate"),
        ("open,0.5,false,n/a here\n", "", "has 1 rows, recomputed 2"),
        ("is_primary", "is_first", "columns differ"),
        ("open,0.5,false,n/a here", "open,0.5,false", "row 2 has 3 cells"),
    ],
)
def test_every_kind_of_change_in_a_table_is_found(published, old, new, said):
    rewrite(published[1], old, new)
    with pytest.raises(DataError, match=said):
        check(published)


def test_changes_of_run_json_page_and_folder_are_found(published):
    root, folder = published
    copies = [shutil.copytree(folder, folder.with_name(f"{folder.name}-{n}")) for n in range(2, 7)]
    for copy, (name, old, new, said) in zip(
        copies,
        [
            ("run.json", '"estimate": -0.01', '"estimate": -0.02', "run.json, headline.estimate: published -0.02"),
            ("run.json", '"outcome": "no_detectable_effect"', '"outcome": "effect"', "run.json, outcome"),
            ("run.json", '"df": 248,', "", "headline: df stands on one side only"),
            ("report.html", "</html>", "<p></p></html>", "report.html was changed"),
            ("run.json", '"vintage": "none"', '"vintage": "other"', "run.json, vintage"),
        ],
        strict=True,
    ):
        rewrite(copy, old, new, name)
        with pytest.raises(DataError, match=said):
            verify_run(copy, root, execute=fake(record()))
    (folder / "results" / "estimates.csv").unlink()
    with pytest.raises(DataError, match=r"results/estimates.csv is missing"):
        check(published)


def test_a_table_too_many_is_found(published):
    (published[1] / "results" / "extra.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"results/extra.csv is in the run"):
        check(published)


def test_other_prices_are_refused_before_anything_is_executed(published):
    root, folder = published
    run = json.loads((folder / "run.json").read_text())
    run["inputs"]["data/snapshot/F.csv"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(run))

    def never(*_, **__):
        raise AssertionError("executed")

    with pytest.raises(DataError, match=r"input data/snapshot/F.csv of the run is not at hand"):
        verify_run(folder, root, execute=never)
    with pytest.raises(DataError, match=r"input own.csv has sha256 bbbb"):
        compare_inputs({"own.csv": "a" * 64}, {"own.csv": "b" * 64})
    with pytest.raises(DataError, match=r"input own.csv is used now"):
        compare_inputs({}, {"own.csv": "b" * 64, "data/plans.csv": "c" * 64})
    assert compare_inputs({"data/stories.csv": "a"}, {"data/stories.csv": "b", "data/plans.csv": "c"}) == (
        "data/stories.csv",
        "data/plans.csv",
    )


def test_a_registry_that_has_grown_is_recomputed_from(published):
    """Another story of the desk changes the tables; a run that still says the same agrees, one that does not is told."""
    root, _ = published
    path = root.data / "articles.csv"
    path.write_text(path.read_text() + "\n")
    assert check(published).changed_tables == ("data/articles.csv",)
    with pytest.raises(DataError, match=r"data/articles\.csv changed since the run was made") as caught:
        check(published, record(estimate=-0.02))
    assert "estimate" in caught.value.message


def test_what_is_no_published_run_is_refused(tmp_path, published):
    root, folder = published
    with pytest.raises(ConfigError, match="no published run"):
        verify_run(tmp_path, root)
    run = json.loads((folder / "run.json").read_text())
    for change, said in (({"status": "failed"}, "failed attempt"), ({"notebook": "dossier"}, "dossier")):
        (folder / "run.json").write_text(json.dumps(run | change))
        with pytest.raises(ConfigError, match=said):
            verify_run(folder, root)


def test_the_verb_exits_0_or_3_and_names_the_difference(published, monkeypatch):
    root, folder = published
    monkeypatch.setitem(module.verify_run.__kwdefaults__, "execute", fake(record()))
    runner = CliRunner()
    good = runner.invoke(main, ["--root", str(root.path), "verify", str(folder)])
    assert good.exit_code == 0
    assert "4 numbers in 1 tables" in good.stdout
    by_name = runner.invoke(main, ["--root", str(root.path), "--json", "verify", folder.name])
    assert json.loads(by_name.stdout)["agrees"] is True
    rewrite(folder, "0.5", "0.6")
    bad = runner.invoke(main, ["--root", str(root.path), "verify", str(folder)])
    assert bad.exit_code == 3
    assert "row 2, column estimate" in bad.stderr
    assert runner.invoke(main, ["--root", str(root.path), "verify", "nothing"]).exit_code == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.1", "0.10000000000001", True),
        ("0.1", "0.1000000002", False),
        ("1e-17", "-3e-18", True),
        ("", "0", False),
        ("nan", "nan", True),
        ("a=0.1; b=2.0", "a=0.10000000000001; b=2.0", True),
        ("a=0.1; b=2.0", "a=0.2; b=2.0", False),
        ("x; b=2.0", "y; b=2.0", False),
        ("a=0.1", "b=0.1", False),
    ],
)
def test_when_two_cells_are_the_same(one, other, same):
    assert is_same(one, other) is same


def test_values_compare_by_type():
    assert compare_values({"a": 1, "b": [1]}, {"a": 1.0, "b": [1]}, "x") == 1
    for one, other in ((True, 1), (None, 0.0), ("1", 1), ([1], [2])):
        with pytest.raises(DataError):
            compare_values({"a": one}, {"a": other}, "x")
    assert compare_table("t", "a,b\n1,x\n", "a,b\n1.0,x\n") == 1
