"""A PostgreSQL server of its own for tests: in a temporary folder, on a socket there, run by a user without rights."""

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

WHY_NOT = "no PostgreSQL server can be started here: install the packages postgresql and psycopg[binary]"
USER = "racer"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None if it is not installed."""
    folders = [
        *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
        Path("/usr/bin"),
        Path("/usr/local/bin"),
    ]
    if found := shutil.which("initdb"):
        folders.insert(0, Path(os.path.realpath(found)).parent)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


class Server:
    """A running server."""

    def __init__(self) -> None:
        """Make a cluster and start it; raises `OSError` or `CalledProcessError` where that cannot be."""
        found = programs()
        if found is None:
            raise FileNotFoundError(WHY_NOT)
        self._bin = found
        self.folder = Path(tempfile.mkdtemp(prefix="racer-pg-", dir="/tmp"))  # sockets need a short path
        self._user = None
        if os.geteuid() == 0:  # which PostgreSQL refuses
            names = [entry.pw_name for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody")]
            self._user = sorted(names)[-1]
            shutil.chown(self.folder, self._user)
        options = ["-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync"]
        self._run("initdb", "-D", self.folder / "data", *options)
        self.start()

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql://{USER}@/postgres?host={self.folder}"

    def clear(self) -> None:
        """Make its database empty."""
        import psycopg

        with psycopg.connect(self.url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c max_connections=120"
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.CalledProcessError):  # it waits until its processes have seen it
            self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "-w", "stop")

    def freeze(self, frozen: bool) -> None:
        """Let it stand still, or go on."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP if frozen else signal.SIGCONT)

    def processes(self) -> list[int]:
        """The server's processes."""
        main = int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def close(self) -> None:
        """Stop it and remove its folder."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str | Path) -> None:
        words = [str(self._bin / program), *map(str, arguments)]
        user = {} if self._user is None else {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid}
        environment = {"PATH": os.environ["PATH"], "USER": self._user or getpass.getuser(), "LC_ALL": "C"}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(words, check=True, cwd=self.folder, env=environment, timeout=120, **quiet, **user)
