"""What runs a twin: the engines, their processes, and what is asked of them.

May import: record.
Begin with: engine.py, then process.py.
"""
