"""What is told of records: tables, pages, and what changed between two.

May import: stats, engines, record.
Begin with: figures.py, then tables.py.
"""
