"""A key of masks. Settings hold them, and are read before polars is loaded: so this is a module apart from `model.masking`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

LEAST_KEY_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskKey:
    """A key of masks: text, so that any HMAC tool can make a token again."""

    secret: str = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Names the key and tells nothing of it: 16 hex digits. No token has its message, for none lacks a kind and a colon."""
        return hmac.digest(self.secret.encode(), b"fingerprint", "sha256").hex()[:16]
