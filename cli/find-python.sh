# Read by `omnibachi` and `check`: set `found` to a Python that can make the environment, or say what is missing.
found=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        found=$candidate
        break
    fi
done
if [ -z "$found" ]; then
    if version=$(python3 --version 2>/dev/null); then
        echo "omnibachi: Python 3.11 or newer is needed, and python3 here is ${version#Python }" >&2
    else
        echo "omnibachi: Python 3.11 or newer is needed, and there is no python3 on the PATH" >&2
    fi
    exit 6
fi
