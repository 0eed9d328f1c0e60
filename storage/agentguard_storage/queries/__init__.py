"""Typed reads from ClickHouse: every function takes its project, and only bound parameters."""
