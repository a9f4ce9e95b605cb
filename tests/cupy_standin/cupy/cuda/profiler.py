"""Starts and stops nothing."""
