"""Which videos are worth a call now, and who is making it: cadence, slices under leases, and what a batch changes."""
