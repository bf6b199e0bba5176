"""Do the engines agree? The ladder: reference, rungs, and an engine's way up.

May import: engines, record.
Begin with: run.py; ladder.py has each rung's arithmetic.
"""
