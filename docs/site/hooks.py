"""What MkDocs is told beside mkdocs.yml: pages made from the code, and files from outside docs/."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "src")]

from command_page import command_page  # noqa: E402
from error_page import error_page  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402
from published_tables import architectures, older_defaults  # noqa: E402

# Files of the repository that pages link to, or that are pages themselves.
OUTSIDE = [
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSE",
    "SECURITY.md",
    "benchmarks/RESULTS.md",
    "benchmarks/accuracy/ledger.csv",
]
# Pages to look things up in: a search lists them after the pages that explain.
LOOKED_UP = {
    "CHANGELOG.md",
    "benchmarks/RESULTS.md",
    "commands.md",
    "compatibility.md",
    "configs/ready.md",
    "errors.md",
    "from-monai.md",
    "from-nnunet.md",
    "from-published.md",
    "from-yolo.md",
    "recipes.md",
    "review-keys.md",
}
LINK = re.compile(r"(\]\()([^)#\s:]+)((?:#[^)]*)?\))")


def configuration_page() -> str:
    """The ready configurations, each as a block that can be copied."""
    parts = [
        "# Ready configurations",
        "These are the files of `configs/`. Copy one, change its folders, and give it to `flexunet train`. "
        "[Recipes](../recipes.md) tells what each is for, and what it reached.",
    ]
    for path in sorted((ROOT / "configs").glob("*.toml")):
        parts.append(f"## {path.name}\n\n```toml\n{path.read_text(encoding='utf-8').strip()}\n```")
    return "\n\n".join(parts) + "\n"


# Whole pages, and parts of pages: a line `<!-- made: NAME -->` stands for the part.
MADE = {"commands.md": command_page, "errors.md": error_page, "configs/ready.md": configuration_page}

PARTS = {"architectures": architectures, "older defaults": older_defaults}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made, and the files from outside docs/."""
    for uri in OUTSIDE:
        files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    for uri, make in MADE.items():
        files.append(File.generated(config, uri, content=make()))
    return files


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Point links at where the site has the file: its root is docs/, with files from outside in it."""
    if page.file.src_uri in LOOKED_UP:
        page.meta["search"] = {"boost": 0.2}
    folder = PurePosixPath(page.file.src_uri).parent
    outside = page.file.src_uri in OUTSIDE

    def moved(link: re.Match[str]) -> str:
        target = (
            posixpath.normpath(folder / link[2]) if outside else posixpath.normpath("docs" / folder / link[2])
        )
        uri = target.removeprefix("docs/")
        if target == "configs":
            uri = "configs/ready.md"
        elif target == "README.md":
            uri = "index.md"
        return f"{link[1]}{posixpath.relpath(uri, folder)}{link[3]}" if uri in files.src_uris else link[0]

    whole = re.sub(r"<!-- made: (.+) -->", lambda part: PARTS[part[1]](), markdown)
    return LINK.sub(moved, whole)


def on_page_content(html: str, **_: Any) -> str:
    """Let a picture open at its own size, and keep an option of a command on one line."""
    html = re.sub(r'(?<!>)<img [^>]*src="([^"]+)"[^>]*>', r'<a href="\1">\g<0></a>', html)
    return re.sub(r"<code>[^<]*--[^<]*</code>", whole_options, html)


def whole_options(code: re.Match[str]) -> str:
    """Code in a sentence or a table, each of its options in an element that is not broken."""
    return re.sub(r"--[a-z][\w-]*", r'<span class="option">\g<0></span>', code[0])


def on_startup(**_: Any) -> None:
    """Read help texts at one width, whatever the terminal is."""
    os.environ["COLUMNS"] = "100"
