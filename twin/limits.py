"""How far two right implementations may be apart, by what is compared: relative L2 distances (docs/method.md)."""

LIMITS = {"forward": 1e-5, "gradients": 1e-4, "update": 1e-4, "steps": 1e-5, "trajectory": 1e-3}
LIMIT_FLOAT64 = 1e-10  # rounding is out of the way: what is left is meaning
