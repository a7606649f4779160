"""`python -m agentic_atlas` is `atlas`."""

from agentic_atlas.cli.app import main

if __name__ == "__main__":
    main()
