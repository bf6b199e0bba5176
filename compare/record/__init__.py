"""The record: what was asked, what became of it, and the file that says so.

May import: no other package.
Begin with: results.py, then measurement.py and record.py.
"""
