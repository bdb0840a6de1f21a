"""The tiny corpus."""

from tiny_corpus import corpus

__all__ = ['corpus']
