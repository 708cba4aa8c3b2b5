"""Where things are kept: PostgreSQL (connections, migrations, named queries) and files that survive a crash."""
