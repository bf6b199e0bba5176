"""The command line `twin`: what a user types, and what is printed.

May import: every package but worker and stats.
Begin with: main.py; commands/ has a file for each command.
"""
