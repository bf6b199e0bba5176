"""What a twin is worth as a file: written by an exporter, run by the format's own runtime, compared with the model.

May import: check, engines, record.
Begin with: run.py; formats/ has a module for each format, examine.py runs a file, faults.py says what is wrong.
"""
