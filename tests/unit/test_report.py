"""A report's pieces: whatever is passed in is text, never markup."""

from __future__ import annotations

from orchestration.report_html import (
    coloured,
    columns_chart,
    facts,
    heading,
    key,
    page,
    paragraph,
    sparkline,
    stacked_bars,
    statements,
    table,
)

EVIL = '<script>"&\''


def test_text_is_escaped_wherever_it_stands() -> None:
    parts = [
        heading(EVIL),
        paragraph(EVIL),
        statements([EVIL]),
        facts([(EVIL, EVIL, "bad")]),
        table([EVIL], [[EVIL], [coloured(EVIL, "good")]], text=(0,)),
        key({EVIL: "#fff"}),
        columns_chart([(EVIL, 1.0, EVIL, True)], EVIL),
        stacked_bars([(EVIL, {EVIL: 1.0}, EVIL)], {EVIL: "#fff"}, EVIL),
        sparkline([1.0, 2.0], EVIL),
    ]
    text = page(EVIL, EVIL, parts)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 2 + len(parts)


def test_drawings_of_nothing_are_drawn() -> None:
    charts = [columns_chart([], "t"), columns_chart([("a", 0, "0", False)], "t")]
    empty = [*charts, stacked_bars([("a", {}, "")], {}, "t"), sparkline([0.0, 0.0], "t")]
    assert all(drawing.html.endswith(("</svg>", "</div>")) for drawing in empty)
    assert sparkline([], "t").html == ""
