"""What schedules, sensors and automation conditions of several assets share; those of one asset stand with it."""
