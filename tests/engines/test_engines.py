"""Engines are chosen by name and interpreter."""

import pytest

from compare.engines.engine import ENGINES, choose, parse_pythons
from twin.errors import TwinError


def test_engines_are_chosen_by_name_and_interpreter(tmp_path):
    with pytest.raises(TwinError, match="did you mean keras-jax"):
        choose(["keras-jaxx"])
    with pytest.raises(TwinError, match="ENGINE=PATH"):
        parse_pythons(["keras-jax"])
    with pytest.raises(TwinError, match="no program"):
        parse_pythons([f"keras-jax={tmp_path}"])
    bare = tmp_path / "python"
    bare.write_text('#!/bin/sh\nshift 2\necho missing "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(TwinError, match="'keras-jax' needs keras and jax"):
        choose(["keras-jax"], {"keras-jax": str(bare)})


def test_an_engine_adds_to_the_flags_of_xla_that_are_set(monkeypatch):
    own = "--xla_cpu_multi_thread_eigen=false"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/tmp/dump")
    given = {threads: ENGINES["keras-jax"].environment("cpu", threads)["XLA_FLAGS"] for threads in (1, 2)}
    assert given == {1: f"--xla_dump_to=/tmp/dump {own}", 2: "--xla_dump_to=/tmp/dump"}
    monkeypatch.delenv("XLA_FLAGS")
    assert ENGINES["keras-jax"].environment("cpu", 1)["XLA_FLAGS"] == own
