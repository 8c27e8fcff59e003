"""The run folder: create, find, lock, record, compare; and everything that touches its files."""
