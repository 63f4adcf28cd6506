"""docs/python.md, the whole path in Python: its notebook is the same page, and runs from top to bottom."""

import importlib.util
import os
from pathlib import Path

import nbclient
import nbformat

import flexunet

DOCS = Path(__file__).parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("notebook", DOCS / "notebook.py")
notebook = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(notebook)


def test_the_notebook_is_the_page():
    """If this fails, run `python docs/notebook.py`."""
    made = notebook.notebook_of(notebook.PAGE.read_text(encoding="utf-8"))
    assert nbformat.read(notebook.NOTEBOOK, as_version=4) == made


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    cells = nbformat.read(notebook.NOTEBOOK, as_version=4)
    source = str(Path(flexunet.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    client = nbclient.NotebookClient(cells, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = "".join(
        output.get("text", "") for cell in cells.cells for output in cell.get("outputs", []) if output
    )
    assert "<Evaluation of 8 images: dice_per_image_mean" in said
    assert "<ImageScores of 64 x 64 pixels: dice 1.000" in said
    assert "missing.toml" in said
    predicted = tmp_path / "predicted.png"
    assert predicted.is_file()
    assert (tmp_path / "run" / "evaluation" / "report.html").is_file()
    assert (tmp_path / "run_with_own_loss" / "models" / "best_model.keras").is_file()
