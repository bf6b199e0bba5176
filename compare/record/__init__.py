"""The record: what was asked, what became of it, and the file that says so.

May import: no other package.
Begin with: cell.py, then record.py.
"""
