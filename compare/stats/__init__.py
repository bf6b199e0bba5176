"""The arithmetic of speed and of accuracy: ratios, intervals, verdicts.

May import: no other package.
Begin with: ratios.py for speed, seeds.py for accuracy; both use intervals.py.
"""
