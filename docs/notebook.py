"""Make docs/python.ipynb from docs/python.md: text becomes Markdown cells, code becomes code cells.

python docs/notebook.py
"""

import re
from pathlib import Path

import nbformat

PAGE = Path(__file__).with_name("python.md")
NOTEBOOK = PAGE.with_suffix(".ipynb")


def notebook_of(page: str) -> nbformat.NotebookNode:
    """The notebook of a page; cell ids are counted, so that the same page gives the same file."""
    cells = []
    for part in re.split(r"(?ms)^(```python\n.*?^```\n)", page):
        if part.startswith("```python"):
            cells.append(
                nbformat.v4.new_code_cell(part.removeprefix("```python\n").removesuffix("```\n").strip())
            )
        elif part.strip():
            cells.append(nbformat.v4.new_markdown_cell(part.strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


if __name__ == "__main__":
    nbformat.write(notebook_of(PAGE.read_text(encoding="utf-8")), NOTEBOOK)
