"""`twin weights`: pretrained weights cross from one framework to the other.

May import: verify, engines.
Begin with: run.py.
"""
