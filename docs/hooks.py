"""What the site takes from beside docs/: pages that lie where readers of a repository look for
them, and links out of docs/, which become the names of the repository's files."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Page of the site → file of the repository.
TAKEN = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)]+)\)")


def on_page_markdown(markdown: str, page, config, files) -> str:
    """The file's text where a page is taken; links out of docs/ as names of files."""
    if page.file.src_uri in TAKEN:
        markdown = (ROOT / TAKEN[page.file.src_uri]).read_text(encoding="utf-8")
        return markdown.replace("](docs/", "](")
    for name in {found for _, found in _LINK.findall(markdown)}:
        path = (ROOT / "docs" / page.file.src_uri).parent / name
        if not path.exists():
            raise FileNotFoundError(f"{page.file.src_uri} links to {name}, which does not exist")
    return _LINK.sub(lambda m: f"`{m[2].removeprefix('../')}`", markdown)
