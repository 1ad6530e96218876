"""A database's type by its name, for DDL and casts: SQLAlchemy has no word for many of them, or spells them otherwise."""

from __future__ import annotations

from sqlalchemy.types import UserDefinedType


class NamedType(UserDefinedType[object]):
    """A type by the name that its target's catalogue gives it, so that the two can be compared."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """The type's name in DDL."""
        return self.name
