"""The planner: what the days to come will cost, what of it fits into quota, and what goes without."""
