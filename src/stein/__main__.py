"""``python -m stein``: the same command as ``stein``."""

from stein.serving.command import main

if __name__ == "__main__":
    main(prog_name="stein")
