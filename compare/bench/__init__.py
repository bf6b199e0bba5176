"""How fast is each engine? Rounds of fresh processes, and the copy of the reference that shows what is noise.

May import: engines, record, stats.
Begin with: run.py.
"""
