"""Schedules, sensors and automation conditions that several assets share; those of one asset are in its module."""
