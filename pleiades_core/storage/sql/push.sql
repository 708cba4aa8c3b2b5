-- The columns push_* of table channels: discover/push/.

-- name: due_for_push
-- Channels to subscribe to, the busiest first: without a live subscription and not asked for just now. Channels that another
-- process is subscribing are skipped.
select channel, channel_id from channels
where (push_until is null or push_until < %(renew_before)s)
  and (push_asked_at is null
       or push_asked_at <= %(now)s - least(%(longest_wait)s, %(shortest_wait)s * power(2, least(push_refusals, 20))))
order by uploads_a_day desc, channel
limit %(limit)s
for update skip locked

-- name: asking
-- Written before the call, because the hub may call back first. The request counts as refused until the hub confirms it.
update channels set push_asked_at = %(now)s, push_refusals = least(push_refusals + 1, 20) where channel = any(%(channels)s)

-- name: not_asked
-- Undo the request time of channels that the round did not reach.
update channels set push_asked_at = null, push_refusals = greatest(push_refusals - 1, 0)
where channel = any(%(channels)s) and push_asked_at = %(now)s

-- name: unanswered
-- The hub failed, which says nothing of the channel.
update channels set push_refusals = greatest(push_refusals - 1, 0)
where channel = any(%(channels)s) and push_asked_at = %(now)s

-- name: confirm
-- The hub says that the subscription lives; only one that we asked for lately.
update channels set push_until = %(until)s, push_refusals = 0
where channel_id = %(channel_id)s and push_asked_at > %(asked_after)s

-- name: end_lease
-- The hub says that the subscription is denied.
update channels set push_until = null where channel_id = %(channel_id)s and push_asked_at > %(asked_after)s

-- name: push_state
-- Subscriptions that live, and channels that are followed.
select count(*) filter (where push_until > %(now)s), count(*) from channels
