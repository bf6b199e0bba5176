"""What people read: the twins side by side, the pages of the course, differences and glossary.

May import: engines, record.
Begin with: aligned.py, then show.py and site.py.
"""
