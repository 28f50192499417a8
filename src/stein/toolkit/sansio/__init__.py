"""Requests and responses as values: what can be said about them without reading or writing."""
