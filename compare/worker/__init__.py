"""The child process: what runs inside of it. Nobody imports it; engines/process.py starts it.

May import: export, port.
Begin with: serve.py, which names the groups of operations that a worker answers.
"""
