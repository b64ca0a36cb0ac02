"""Executors: where runs are started (the port in base.py, one module for each place)."""
