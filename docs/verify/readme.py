"""Writes the table of README.md from certificates.json: `python3 docs/verify/readme.py`.

The certificates come from `cargo run --release -p gramstep-cli -- verify all --full --out docs/verify`.
"""

import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent
README = FOLDER.parent.parent / "README.md"
HEADER = "| claim | what was found |\n|---|---|\n"

claims = json.loads((FOLDER / "certificates.json").read_text(encoding="utf-8"))["claims"]
verdict = {"holds": "", "refuted": "**refuted** ", "assumptions-not-met": "**assumptions not met** "}
rows = "".join(f"| `{c['claim']}` | {verdict[c['verdict']]}{c['sentence']} |\n" for c in claims)
readme, tables = re.subn(re.escape(HEADER) + r"(\|.*\n)*", lambda _: HEADER + rows, README.read_text(encoding="utf-8"))
assert tables == 1, f"README.md has {tables} tables of claims"
README.write_text(readme, encoding="utf-8")
