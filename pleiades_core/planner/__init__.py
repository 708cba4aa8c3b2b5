"""The planner: the units that the coming days will cost, whether quota pays for them, and what it does not pay for."""
