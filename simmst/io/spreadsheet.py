"""Texts in a CSV that a spreadsheet would take for formulas: written with a quote in front, read without it."""

from __future__ import annotations

import polars as pl

# What a spreadsheet may run begins with one of these (OWASP, "CSV injection").
_FORMULA = r"^[=+\-@\t\r]"
_GUARDED = r"^'([=+\-@\t\r])"


def guarded(table: pl.DataFrame) -> pl.DataFrame:
    """Put a quote in front of texts that begin as formulas do."""
    text = pl.col(pl.String)
    return table.with_columns(pl.when(text.str.contains(_FORMULA)).then("'" + text).otherwise(text).name.keep())


def unguarded(text: pl.Expr) -> pl.Expr:
    """Take the quote of `guarded` away."""
    return text.str.replace(_GUARDED, "${1}")
