"""How every file is written: whole, or not at all."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from twin.errors import TwinError


def write_json(path: Path, content: dict[str, Any] | list[Any], option: str = "--out") -> None:
    """Write JSON whole or not at all.

    Raises:
        TwinError: when the folder cannot be written.
    """
    write_text(path, as_lines(content) + "\n", option)


def as_lines(content: dict[str, Any] | list[Any]) -> str:
    """JSON with a line per cell: json's own indentation takes a minute for the records of a whole run."""
    if not isinstance(content, dict) or not isinstance(content.get("cells"), list):
        return json.dumps(content, indent=1)
    cells = ",\n  ".join(map(json.dumps, content["cells"]))
    head = json.dumps({name: value for name, value in content.items() if name != "cells"}, indent=1)
    return f'{head[:-2]},\n "cells": [\n  {cells}\n ]\n}}'


def write_text(path: Path, text: str, option: str = "--out") -> None:
    """Write a file whole or not at all: a temporary one beside `path`, synced, then renamed.

    Args:
        path: its folder is made where it is missing.
        text: in UTF-8.
        option: where the user chose the path.

    Raises:
        TwinError: when it cannot be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise TwinError(f"cannot write {path}: {error.strerror}; choose another place with {option}") from error
