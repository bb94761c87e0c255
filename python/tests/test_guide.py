"""The guide's blocks run one after the other, and the README's commands are those that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


def test_the_guide_runs():
    found = blocks("GUIDE.md")
    assert len(found) >= 6
    names: dict = {}
    for block in found:
        exec(compile(block, "GUIDE.md", "exec"), names)


def test_the_readme_runs():
    for block in blocks("README.md"):
        exec(compile(block, "README.md", "exec"), {})
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^python (examples/\S+)$", text, re.MULTILINE)
    assert (ROOT / example).exists() and "\npip install .\n" in text
