"""Logging finished studies to MLflow, in a process beside the runner."""
