"""The command line: results go to stdout, messages to stderr, and each kind of error has an exit code."""
