"""`python -m dltrain` is `dltrain`."""

from dltrain.cli.main import main

if __name__ == "__main__":
    main()
