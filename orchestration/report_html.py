"""A page of HTML that needs nothing but itself: text, tables and drawings. Pure; everything that is passed in is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5b6774; --line: #d8dee5; --back: #fff; --card: #f5f7f9;
  --good: #1a7f4b; --bad: #b3261e; --hold: #8a6100; --one: #2f6fb3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #9aa7b4; --line: #36414d; --back: #14191f; --card: #1d242c;
  --good: #58c48a; --bad: #ff8a80; --hold: #e0b64a; --one: #7db3ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 80rem; background: var(--back); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.hold { color: var(--hold); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0; padding: 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
.facts b { display: block; font-size: 1.35rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.facts span { color: var(--soft); font-size: .85rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .55rem; text-align: right; vertical-align: top; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { white-space: normal; color: var(--soft); font-weight: 600; background: var(--card); } tr:last-child td { border-bottom: 0; }
th:first-child, td:first-child, .text { text-align: left; } td.text { white-space: normal; min-width: 12rem; }
pre { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .7rem .9rem;
  font: .8rem/1.5 ui-monospace, Consolas, monospace; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .soft { fill: var(--soft); } svg .axis { stroke: var(--line); } td svg { width: 7rem; margin-left: auto; }
.chart { overflow-x: auto; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .85rem; color: var(--soft); margin: .5rem 0; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .35rem; }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --back: #fff; --card: #fff; --good: #146c3d;
  --bad: #a11; --hold: #6b4a00; --one: #2f6fb3; } body { max-width: none; padding: 0; font-size: 11pt; }
  .wide, .chart, pre { overflow: visible; } .chart div { min-width: 0 !important; }
  th, td { white-space: normal; padding: .2rem .35rem; font-size: 8.5pt; }
  pre { white-space: pre-wrap; }
  h2, tr, svg, .facts div { break-inside: avoid; } h2 { break-after: avoid; } * { print-color-adjust: exact; } }
"""
COLOURS = ("#2f6fb3", "#d98324", "#3c9d6b", "#8d5fb8", "#c2455f", "#5d7d8c", "#a68a2d", "#4aa3b8")


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is HTML already."""

    html: str


Cell = str | Markup


def page(title: str, about: str, parts: Iterable[Markup]) -> str:
    """The whole page."""
    body = "\n".join(part.html for part in parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n<p class="soft">{escape(about)}</p>\n{body}\n</body>\n</html>\n'
    )


def heading(text: str) -> Markup:
    """A section's heading."""
    return Markup(f"<h2>{escape(text)}</h2>")


def paragraph(text: str, kind: str = "") -> Markup:
    """A paragraph; `kind` is one of good, bad, hold and soft."""
    return Markup(f'<p class="{kind}">{escape(text)}</p>')


def coloured(text: str, kind: str) -> Markup:
    """A word in a cell."""
    return Markup(f'<span class="{kind}">{escape(text)}</span>')


def statements(lines: Sequence[str]) -> Markup:
    """SQL, as it is."""
    return Markup(f"<pre>{escape(chr(10).join(lines))}</pre>")


def facts(pairs: Sequence[tuple[str, str, str]]) -> Markup:
    """The few numbers that matter: value, what it is, and its kind."""
    cells = (f'<div><b class="{kind}">{escape(value)}</b><span>{escape(name)}</span></div>' for value, name, kind in pairs)
    return Markup(f'<div class="facts">{"".join(cells)}</div>')


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], text: Sequence[int] = ()) -> Markup:
    """Rows of cells; those of the columns `text` are wrapped and stand to the left."""

    def cell(tag: str, position: int, value: Cell) -> str:
        inner = value.html if isinstance(value, Markup) else escape(value)
        return f"<{tag}{' class=text' if position in text else ''}>{inner}</{tag}>"

    head = "".join(cell("th", position, value) for position, value in enumerate(headers))
    lines = ("".join(cell("td", position, value) for position, value in enumerate(row)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return Markup(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>')


def key(names: Mapping[str, str]) -> Markup:
    """What the colours of a drawing mean."""
    words = (f'<span><i style="background:{colour}"></i>{escape(name)}</span>' for name, colour in names.items())
    return Markup(f'<div class="key">{"".join(words)}</div>')


def columns_chart(points: Sequence[tuple[str, float, str, bool]], title: str) -> Markup:
    """A column a run: its label, its height, what it says, and whether it is bad."""
    width, height, top, foot = max(60 * len(points), 320), 190, 24, 26
    greatest = max((value for _, value, _, _ in points), default=0) or 1
    step = width / max(len(points), 1)
    drawn = [f'<line class="axis" x1="0" y1="{height - foot}" x2="{width}" y2="{height - foot}"/>']
    for number, (label, value, said, bad) in enumerate(points):
        tall = max((height - foot - top) * value / greatest, 2)
        left, middle = number * step + step * 0.15, number * step + step / 2
        colour = "var(--bad)" if bad else "var(--good)"
        place = f'x="{left:.1f}" y="{height - foot - tall:.1f}" width="{step * 0.7:.1f}" height="{tall:.1f}" rx="2"'
        drawn += [
            f'<rect {place} style="fill:{colour}"><title>{escape(f"{label}: {said}")}</title></rect>',
            f'<text x="{middle:.1f}" y="{height - foot - tall - 6:.1f}" text-anchor="middle">{escape(said)}</text>',
            f'<text class="soft" x="{middle:.1f}" y="{height - 8}" text-anchor="middle">{escape(label)}</text>',
        ]
    return _chart(width, height, title, drawn)


def stacked_bars(rows: Sequence[tuple[str, Mapping[str, float], str]], colours: Mapping[str, str], title: str) -> Markup:
    """A bar a row, of parts in their colours: its name, the parts, and what is said at its end."""
    width, line, name_width, end = 720, 30, 190, 70
    greatest = max((sum(parts.values()) for _, parts, _ in rows), default=0) or 1
    drawn = []
    for number, (name, parts, said) in enumerate(rows):
        y, x = number * line + 5, float(name_width)
        shown = name if len(name) <= 26 else f"{name[:25]}…"  # noqa: PLR2004 - as wide as the names' column
        drawn.append(f'<text x="0" y="{y + 14}"><title>{escape(name)}</title>{escape(shown)}</text>')
        for part, value in parts.items():
            wide = (width - name_width - end) * value / greatest
            tip = f"<title>{escape(f'{name}, {part}: {value:.2f} s')}</title>"
            drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="20" style="fill:{colours[part]}">{tip}</rect>')
            x += wide
        drawn.append(f'<text class="soft" x="{x + 6:.1f}" y="{y + 14}">{escape(said)}</text>')
    return _chart(width, max(len(rows), 1) * line, title, drawn)


def sparkline(values: Sequence[float], title: str, *, bad: bool = False) -> Markup:
    """A few numbers as a line, the last one as a dot."""
    width, height = 112, 22
    if not values:
        return Markup("")
    greatest = max(values) or 1
    step = (width - 10) / max(len(values) - 1, 1)
    points = [(5 + number * step, height - 5 - (height - 10) * value / greatest) for number, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    colour = "var(--bad)" if bad else "var(--one)"
    drawn = [
        f'<polyline points="{line}" style="fill:none;stroke:var(--soft);stroke-width:1.5"/>',
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" style="fill:{colour}"/>',
    ]
    return _svg(width, height, title, drawn)


def _chart(width: int, height: int, title: str, drawn: Sequence[str]) -> Markup:
    """A drawing with text in it: on a narrow screen it is moved, for smaller it could not be read."""
    size = f"min-width:{min(width, 560)}px;max-width:{1.4 * width:.0f}px"
    return Markup(f'<div class="chart"><div style="{size}">{_svg(width, height, title, drawn).html}</div></div>')


def _svg(width: int, height: int, title: str, drawn: Sequence[str]) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f"{''.join(drawn)}</svg>"
    )
