"""Write tests/hub/chart/values.schema.json: what a chart's values may be, without its words.

    python scripts/chart_schema.py zero-to-jupyterhub-k8s 4.4.0

The first argument is a clone of https://github.com/jupyterhub/zero-to-jupyterhub-k8s, the second a
tag. Helm checks values against the chart's own schema; the tests check ours against this one, so
that they need neither Helm nor a network. Needs PyYAML.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parents[1] / "tests" / "hub" / "chart"
SCHEMA, LICENCE = "jupyterhub/values.schema.yaml", "LICENSE"


def without_words(schema: Any) -> Any:
    """The same schema without descriptions and examples."""
    if isinstance(schema, list):
        return [without_words(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: (
            {key: without_words(value) for key, value in inner.items()}  # names, not keywords
            if name in ("properties", "patternProperties")
            else without_words(inner)
        )
        for name, inner in schema.items()
        if name not in ("description", "title", "examples", "$schema")
    }


def main() -> None:
    """Read a clone at a tag; write the schema and the licence that it's under."""
    clone, tag = sys.argv[1:]

    def read(path: str) -> str:
        asked = ["git", "-C", clone, "show", f"{tag}:{path}"]
        return subprocess.run(asked, check=True, capture_output=True, text=True).stdout

    kept = {
        "$comment": f"The structure of {SCHEMA} in zero-to-jupyterhub-k8s {tag}, Copyright (c) "
        "2017, Project Jupyter Contributors, BSD-3-Clause (see LICENSE beside this). Made by "
        "scripts/chart_schema.py.",
        **without_words(yaml.safe_load(read(SCHEMA))),
    }
    TARGET.mkdir(parents=True, exist_ok=True)
    text = json.dumps(kept, indent=1) + "\n"
    (TARGET / "values.schema.json").write_text(text, encoding="utf-8")
    (TARGET / "LICENSE").write_text(read(LICENCE), encoding="utf-8")


if __name__ == "__main__":
    main()
