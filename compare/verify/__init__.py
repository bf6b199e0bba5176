"""`twin verify`: a pair of models that is not ours, where they first differ, and why.

May import: engines.
Begin with: README.md, then run.py.
"""
