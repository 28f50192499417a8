"""The composition root: the command line, and what it builds the server from.

The only layer that sees all others, and the only one that reads argv and the environment.
"""
