"""What runs a twin: the engines, their processes, and what is asked of them.

May import: record.
Begin with: engine.py, then session.py (what a worker is asked) and answers.py (what it may answer).
"""
