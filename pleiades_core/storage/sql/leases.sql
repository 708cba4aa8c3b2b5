-- Table leases: batches/leases.py.

-- name: take_lease
-- The right to write one batch per day until it expires, by the database's clock.
insert into leases (lease_id, kind, epoch, expires_at, taken_at)
select %(lease_id)s, %(kind)s, epoch, clock_timestamp() + %(lease)s, %(now)s from installation
returning epoch

-- name: hold_lease
-- Lock the lease for the length of the transaction; no row when it has expired or is of another epoch.
select lease_id from leases
where lease_id = %(lease_id)s and expires_at > clock_timestamp() and epoch = (select epoch from installation)
for update

-- name: end_lease
-- The work is done or given up; a row when it was still there.
delete from leases where lease_id = %(lease_id)s returning lease_id

-- name: expired_leases
-- Leases whose owner is late, locked so that two reapers do not meet.
select lease_id, taken_at from leases where expires_at <= clock_timestamp() for update skip locked

-- name: all_leases
-- Every lease, alive or not yet reaped.
select lease_id from leases
