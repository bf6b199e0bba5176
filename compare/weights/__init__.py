"""`twin weights`: pretrained weights cross from one framework to the other.

May import: verify, check, engines.
Begin with: run.py.
"""
