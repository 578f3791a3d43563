"""Lets `python -m bouted.cli` do what `bouted` does."""

from bouted.cli.main import main

if __name__ == "__main__":
    main()
