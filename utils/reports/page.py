"""A page for a browser: one HTML file that holds its style, its script and its pictures, and asks no network.

The policy in its head makes sure of the last: a browser refuses whatever would have to be fetched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

HERE = Path(__file__).resolve().parent
STYLE, SCRIPT = "page.css", "page.js"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Section:
    """A part of a page, which its menu leads to.

    Attributes:
        name: word for the address, `#name`.
        title: heading.
        intro: what there is to see and how to read it, plain text.
        body: HTML.
    """

    name: str
    title: str
    intro: str
    body: str


@dataclass(frozen=True)
class Figure:
    """A number that is shown large.

    Attributes:
        name: what it is.
        value: as it is to be read.
        hint: its meaning, plain text.
    """

    name: str
    value: str
    hint: str = ""


def page(title: str, about: Sequence[tuple[str, str]], sections: Sequence[Section], footer: str) -> bytes:
    """Returns an HTML file.

    Args:
        title: of the page, plain text.
        about: what it is about, as pairs of a word and a text, plain.
        sections: its parts.
        footer: last line, plain text.
    """
    menu = "".join(f'<a href="#{escape(each.name)}">{escape(each.title)}</a>' for each in sections)
    facts = "".join(f"<div><dt>{escape(word)}</dt><dd>{escape(text)}</dd></div>" for word, text in about)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>
{_part(STYLE)}</style>
</head>
<body>
<header>
<button id="theme" type="button" title="light or dark">&#9680;</button>
<h1>{escape(title)}</h1>
<dl class="about">{facts}</dl>
</header>
<nav>{menu}</nav>
<main>
{"".join(map(_section, sections))}</main>
<footer>{escape(footer)}</footer>
<dialog id="zoom"><img alt=""><p></p></dialog>
<script>
{_part(SCRIPT)}</script>
</body>
</html>
""".encode("utf-8", "replace")


def figures(numbers: Sequence[Figure]) -> str:
    """Returns numbers in a row of cards."""
    cards = "".join(
        f'<div class="card"><b>{escape(each.value)}</b><span>{escape(each.name)}</span><p>{escape(each.hint)}</p></div>'
        for each in numbers
    )
    return f'<div class="cards">{cards}</div>'


def paragraph(text: str) -> str:
    """Returns plain text as a paragraph."""
    return f"<p>{escape(text)}</p>"


def subheading(text: str) -> str:
    """Returns plain text as a heading within a section."""
    return f"<h3>{escape(text)}</h3>"


def colour_legend(entries: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    """Returns names, plain text, each behind a patch of its colour, RGB 0-255."""
    patches = "".join(
        f'<li><span class="swatch" style="background:rgb{tuple(colour)}"></span>{escape(name)}</li>'
        for name, colour in entries
    )
    return f'<ul class="patches">{patches}</ul>'


def side_by_side(*parts: str) -> str:
    """Returns HTML in columns, where the window is wide enough."""
    return f'<div class="columns">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _section(section: Section) -> str:
    return (
        f'<section id="{escape(section.name)}"><h2>{escape(section.title)}</h2>'
        f'<p class="intro">{escape(section.intro)}</p>\n{section.body}</section>\n'
    )


def _part(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
