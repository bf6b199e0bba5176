"""Why two layers or calls differ: the candidates that are tried, one by one, until one makes both agree.

A candidate changes PyTorch's call to what Keras does (twin.trace's edits), so that the trial is a measurement. Causes
that `twin differences` lists have its names.
"""
