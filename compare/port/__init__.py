"""`twin port`: one side of a twin is left for the reader to write, and judged.

May import: check, engines, record.
Begin with: folder.py.
"""
