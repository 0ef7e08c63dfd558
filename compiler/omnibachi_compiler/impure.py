"""What a transform may not touch: the lists that the purity check goes by.

Paths are dotted, as a reference resolves through imports. A path covers everything below it; the longest entry that
covers a path decides, and what no entry covers is allowed. `None` allows.
"""

from __future__ import annotations

CLOCK, CHANCE, FILES, ENVIRONMENT, NETWORK = "the clock", "chance", "files", "the environment", "the network"
THREADS, CODE, PROCESS, OUTPUT = "other threads", "code that is not sealed", "other processes", "the terminal"
MEMORY = "a number that differs from process to process"

PATHS: dict[str, str | None] = {
    **dict.fromkeys(("time", "sched", "timeit"), CLOCK),
    **dict.fromkeys(
        (
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
            "datetime.datetime.today",
            "datetime.date.today",
            "datetime.date.fromtimestamp",
        ),
        CLOCK,
    ),
    **dict.fromkeys(
        ("random", "secrets", "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "numpy.random", "os.urandom"),
        CHANCE,
    ),
    **dict.fromkeys(
        (
            "io",
            "pathlib",
            "tempfile",
            "shutil",
            "glob",
            "fileinput",
            "sqlite3",
            "dbm",
            "shelve",
            "mmap",
            "fcntl",
            "zipfile",
            "tarfile",
            "linecache",
            "codecs.open",
            "gzip.open",
            "bz2.open",
            "lzma.open",
            "importlib.resources",
            "pkgutil",
        ),
        FILES,
    ),
    **dict.fromkeys(
        (
            "os",
            "posix",
            "nt",
            "sys",
            "platform",
            "locale",
            "getpass",
            "pwd",
            "grp",
            "resource",
            "zoneinfo",
            "uuid.getnode",
            "sysconfig",
            "site",
            "argparse",
            "optparse",
        ),
        ENVIRONMENT,
    ),
    **dict.fromkeys(
        (
            "socket",
            "socketserver",
            "ssl",
            "http",
            "urllib",
            "ftplib",
            "smtplib",
            "imaplib",
            "poplib",
            "telnetlib",
            "nntplib",
            "xmlrpc",
            "webbrowser",
            "requests",
            "httpx",
            "aiohttp",
            "urllib3",
            "websockets",
            "psycopg",
            "redis",
            "boto3",
        ),
        NETWORK,
    ),
    **dict.fromkeys(("asyncio", "threading", "_thread", "concurrent", "queue", "select", "selectors"), THREADS),
    **dict.fromkeys(("multiprocessing", "subprocess", "signal", "pty", "atexit", "os.system"), PROCESS),
    **dict.fromkeys(("ctypes", "cffi", "importlib", "imp", "runpy", "code", "codeop", "pickle", "marshal"), CODE),
    **dict.fromkeys(("logging", "readline", "curses", "pdb"), OUTPUT),
    **dict.fromkeys(("gc", "tracemalloc"), MEMORY),
    # Pure parts of the above.
    **dict.fromkeys(
        (
            "io.BytesIO",
            "io.StringIO",
            "pathlib.PurePath",
            "pathlib.PurePosixPath",
            "pathlib.PureWindowsPath",
            "urllib.parse",
            "http.HTTPStatus",
            "os.path",
            "os.fspath",
            "os.PathLike",
            "os.sep",
        ),
        None,
    ),
    # Impure parts of `os.path`, also under its other names.
    **{
        f"{module}.{name}": reason
        for module in ("os.path", "posixpath", "ntpath", "genericpath")
        for reason, names in (
            (
                FILES,
                "exists lexists isfile isdir islink ismount isjunction getsize getmtime getatime getctime realpath "
                "samefile sameopenfile samestat",
            ),
            (ENVIRONMENT, "abspath relpath expanduser expandvars"),
        )
        for name in names.split()
    },
}

BUILTINS: dict[str, str] = {
    "open": FILES,
    "input": OUTPUT,
    "print": OUTPUT,
    "breakpoint": OUTPUT,
    "eval": CODE,
    "exec": CODE,
    "compile": CODE,
    "__import__": CODE,
    "__builtins__": CODE,
    "globals": "the state of its module",
    "id": MEMORY,
    "hash": MEMORY,
}

MUTABLE_MAKERS = frozenset(("list", "dict", "set", "bytearray", "defaultdict", "Counter", "deque", "OrderedDict"))

MUTATORS = frozenset(
    (
        "append",
        "appendleft",
        "extend",
        "extendleft",
        "insert",
        "pop",
        "popleft",
        "popitem",
        "remove",
        "discard",
        "clear",
        "update",
        "setdefault",
        "add",
        "sort",
        "reverse",
        "rotate",
    )
)


def touched(path: str) -> str | None:
    """Return what a dotted path touches, or None when it is allowed."""
    at = path
    while at:
        if at in PATHS:
            return PATHS[at]
        at = at.rpartition(".")[0]
    return None
