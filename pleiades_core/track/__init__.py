"""Polling: from a slice of due videos to one batch file and one transaction."""
