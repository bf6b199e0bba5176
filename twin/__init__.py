"""The framework-free core: what a twin is, its data, the weight bridge, and the arithmetic of agreement."""
