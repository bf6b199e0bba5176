"""The arithmetic of speed and of accuracy: ratios, intervals, verdicts.

May import: engines, record.
Begin with: ratios.py for speed, seeds.py for accuracy.
"""
