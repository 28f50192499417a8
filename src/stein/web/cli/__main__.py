"""``python -m stein.web.cli``: the program without ``serve``."""

from stein.web.cli.program import main

if __name__ == "__main__":
    main()
