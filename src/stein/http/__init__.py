"""HTTP as bytes and words.

Nothing in this layer can reach a socket, a clock, a thread, a file or a log, even by accident:
``tests/test_layers.py`` forbids the imports.  The same bytes always give the same result.
"""
