"""Every twin in native PyTorch: the same files, the same names, the same order as in keras_impl."""
