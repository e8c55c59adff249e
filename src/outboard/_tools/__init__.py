"""Generators and recorders. Run from a checkout; the wheel does not carry them."""
