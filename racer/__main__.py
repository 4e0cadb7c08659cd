"""`python -m racer`: the same as `racer`."""

from racer.cli import main

if __name__ == "__main__":
    main()
