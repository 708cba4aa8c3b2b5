"""Which videos are due and when: the cadence, the schedule and the cohorts. The calls are made in track/."""
