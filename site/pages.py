"""Write the site's own pages: landing, one for each lesson to be read, and the doctor's.

Run by scripts/build_site.py, with the Python that has tools.txt: pages.py SITE PYTHON_FOLDER
"""

from __future__ import annotations

import ast
import html
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any

import mistune

HERE = Path(__file__).parent
FONTS_OF_OLD = (
    "fa-*.eot",
    "fa-*.svg",
    "fa-*.ttf",
)  # Font Awesome's, beside the WOFF2 that browsers take
# JupyterLab makes code of strings (ajv, RequireJS) and styles of its own, but asks only its server.
LAB_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; "
    "base-uri 'self'; form-action 'none'"
)

markdown = mistune.create_markdown(escape=False, plugins=["table"])


def text_of(value: Any) -> str:
    """A text as a notebook stores it, in one piece or in lines."""
    return value if isinstance(value, str) else "".join(value)


def template(name: str, **values: str) -> str:
    """A page made of one of our templates."""
    return Template((HERE / name).read_text(encoding="utf-8")).substitute(values)


def cell_html(cell: dict[str, Any]) -> str:
    """One cell, standing still."""
    source = text_of(cell["source"])
    if cell["cell_type"] == "markdown":
        linked = re.sub(r"\]\(([\w-]+)\.ipynb", r"](\1.html", source)
        return f'<div class="cell text">{with_anchors(str(markdown(linked)))}</div>'
    parts = [f'<pre class="source"><code>{html.escape(source)}</code></pre>'] if source else []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "text/html" in data:
            parts.append(f'<div class="output">{text_of(data["text/html"])}</div>')
        else:
            plain = text_of(output.get("text", data.get("text/plain", "")))
            parts.append(f'<pre class="output">{html.escape(plain)}</pre>')
    return f'<div class="cell">{"".join(parts)}</div>'


def with_anchors(page: str) -> str:
    """HTML whose headings can be linked to, as in JupyterLab: "#Prove-it"."""

    def anchor(found: re.Match[str]) -> str:
        name = re.sub(r"<[^>]*>", "", found[2]).replace(" ", "-")
        return f'<h{found[1]} id="{html.escape(html.unescape(name))}">{found[2]}</h{found[1]}>'

    return re.sub(r"<h([1-3])>(.*?)</h\1>", anchor, page)


def lesson_row(name: str, first: str) -> str:
    """A lesson on the landing page, from the beginning of its notebook."""
    title = re.search(r"^# (.+)$", first, re.M)
    minutes = re.search(r"\*\*Time\*\* (\d+)", first)
    able = re.search(r"\*\*After this lesson you can\*\* (.+)", first)
    if not (title and minutes and able):
        raise SystemExit(f"{name}: its first cell lacks a title, its minutes, or what one can do.")
    said = re.sub(r"^<p>|</p>\s*$", "", str(markdown(able[1])))
    return (
        f'<li><a class="title" href="lab/index.html?path={name}.ipynb">{html.escape(title[1])}</a>'
        f'<span class="minutes">{minutes[1]} minutes · <a href="read/{name}.html">read</a></span>'
        f"<p>Afterwards you can {said}</p></li>"
    )


def main(site: Path, python: str) -> None:
    """Write all pages."""
    reading = site / "read"
    reading.mkdir()
    rows = []
    notebooks = sorted((site / "files").glob("*.ipynb"))
    for path in notebooks:
        cells = json.loads(path.read_bytes())["cells"]
        first = text_of(cells[0]["source"])
        rows.append(lesson_row(path.stem, first))
        page = template(
            "reading.html",
            title=html.escape(first.split("\n")[0].removeprefix("# ")),
            notebook=path.name,
            cells="\n".join(map(cell_html, cells)),
        )
        (reading / f"{path.stem}.html").write_text(page, encoding="utf-8")

    files = sizes(site / python, sorted(file.name for file in (site / python).iterdir()))
    megabytes = sum(size for _, size in files) // 1_000_000
    landing = template(
        "landing.html",
        first=notebooks[0].name,
        lessons="\n".join(rows),
        megabytes=str(megabytes),
    )
    (site / "index.html").write_text(landing, encoding="utf-8")
    for name in ("style.css", "icon.svg"):
        shutil.copy(HERE / name, site)

    shutil.copy(HERE / "loading.js", site / "lab")
    shutil.copy(HERE / "saving.js", site / "lab")
    change(site / "lab" / "saving.js", ("'/* how to go on */'", json.dumps(how_to_go_on())))
    change(
        site / "lab" / "loading.js",
        ("[/* name, bytes */]", json.dumps(files)),
        ("/* folder */", python),
    )
    change(
        site / "lab" / "index.html",
        ("<title>JupyterLite</title>", "<title>pusherkit lessons</title>"),
        (
            '<meta charset="utf-8">',
            '<meta charset="utf-8">\n'
            f'    <meta http-equiv="Content-Security-Policy" content="{LAB_POLICY}">\n'
            '    <link rel="icon" href="../icon.svg">\n'
            '    <script src="loading.js"></script>\n'
            '    <script src="saving.js"></script>',
        ),
        ("JupyterLite requires JavaScript", "The lessons' controls need JavaScript"),
    )
    doctor(site, python)
    for pattern in FONTS_OF_OLD:
        for font in (site / "build").glob(pattern):
            font.unlink()


def doctor(site: Path, python: str) -> None:
    """Write the doctor's page. It shows a report with the code of the practice server's page."""
    folder = site / "doctor"
    folder.mkdir()
    shutil.copy(HERE / "doctor.html", folder / "index.html")
    shutil.copy(HERE / "doctor.py", folder)
    shutil.copy(HERE / "doctor.js", folder)
    live = (HERE.parent / "pusherkit/sandbox/live.html").read_text(encoding="utf-8")
    shared = re.findall(r"// \[shared\][^\n]*\n(.*?)// \[/shared\]", live, re.DOTALL)
    wanted = ["pyodide-lock.json", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"]
    wanted += [file.name for file in (site / python).glob("pusherkit-*.whl")]
    change(
        folder / "doctor.js",
        ("/* folder */", python),
        ("[/* name, bytes */]", json.dumps(sizes(site / python, wanted))),
        ("/* shared */", "".join(shared)),
    )


def how_to_go_on() -> str:
    """The sentence above a widget that was saved, which pusherkit's Jupyter extension has."""
    module = (HERE.parent / "pusherkit/_jupyter.py").read_text(encoding="utf-8")
    for node in ast.parse(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOW_TO_GO_ON":
            return str(ast.literal_eval(node.value))
    raise SystemExit("_jupyter.py: expected HOW_TO_GO_ON in it.")


def sizes(folder: Path, names: Iterable[str]) -> list[tuple[str, int]]:
    """Files, and how many bytes each has."""
    return [(name, (folder / name).stat().st_size) for name in names]


def change(file: Path, *changes: tuple[str, str]) -> None:
    """Replace texts that must be there: another release of JupyterLite may have other ones."""
    page = file.read_text(encoding="utf-8")
    for old, new in changes:
        if old not in page:
            raise SystemExit(f"{file.name}: expected {old!r} in it.")
        page = page.replace(old, new, 1)
    file.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
