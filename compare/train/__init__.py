"""How well does each engine learn? Trainings from the same weights on the same batches.

May import: engines, record.
Begin with: run.py.
"""
