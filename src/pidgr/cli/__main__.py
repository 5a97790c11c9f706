"""``python -m pidgr.cli``."""

from pidgr.cli import main

# Server workers import this module again under another name.
if __name__ == "__main__":
    main()
