"""Regulation documents, searched with citations."""
