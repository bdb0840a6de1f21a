"""What chains several steps: videos to a corpus, a corpus to pictures.

Import the module you need, e.g. ``from vpd_mm.apis.corpus_builder import
build_corpus``; nothing is imported here, so that none costs the others' time.
"""

__all__: list[str] = []
