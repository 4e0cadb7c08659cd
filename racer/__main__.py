"""The command `racer`, also as `python -m racer`: nothing is imported before Ctrl-C has somebody to answer it."""

import signal
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with exit code 130, also while it still loads."""
    try:
        from racer.cli import main as run

        if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
