"""URLs with characters of every script, and with ASCII only."""

from __future__ import annotations

from stein.http.urls import iri_to_uri, uri_to_iri

__all__ = ["iri_to_uri", "uri_to_iri"]
