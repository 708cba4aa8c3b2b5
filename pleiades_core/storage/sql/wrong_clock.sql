-- Instants that lie in the future, which only a clock that was wrong can have written: discover/wrong_clock.py. Each table has a
-- query that mends it. `latest` is the last instant that a right clock can have written by now. The watchlist mends itself, poll by
-- poll (watchlist.sql). Instants of videos and requests stay, since they say in which day of the vault a row lies; queries that look
-- back from now end at `latest`.

-- name: future
-- How many rows of each table have such an instant.
select
    (select count(*) from channels
     where greatest(listed_at, checked_at, feed_at, feed_failed_at, list_failed_at, check_failed_at, push_asked_at) > %(latest)s
        or push_until > %(latest)s + %(longest_lease)s) as channels,
    (select count(*) from search_queue
     where greatest(added_at, mentioned_at, scored_at, last_searched_at, token_at, round_started_at, searched_until) > %(latest)s
    ) as terms,
    (select count(*) from campaigns where greatest(token_at, finished_at) > %(latest)s) as campaigns,
    (select count(*) from back_catalogues where greatest(token_at, failed_at, added_at, finished_at) > %(latest)s) as back_catalogues

-- name: future_history
-- How many claims and requests were noted in the future.
select (select count(*) from videos where claimed_at > %(latest)s), (select count(*) from discovery_requests where requested_at > %(latest)s)

-- name: mend_channels
-- Clear the instants that lie in the future, and the failures that were counted at them.
update channels
set listed_at = case when listed_at <= %(latest)s then listed_at end,
    checked_at = case when checked_at <= %(latest)s then checked_at end,
    feed_at = case when feed_at <= %(latest)s then feed_at end,
    feed_failed_at = case when feed_failed_at <= %(latest)s then feed_failed_at end,
    feed_failures = case when feed_failed_at > %(latest)s then 0 else feed_failures end,
    list_failed_at = case when list_failed_at <= %(latest)s then list_failed_at end,
    list_failures = case when list_failed_at > %(latest)s then 0 else list_failures end,
    check_failed_at = case when check_failed_at <= %(latest)s then check_failed_at end,
    check_failures = case when check_failed_at > %(latest)s then 0 else check_failures end,
    push_asked_at = case when push_asked_at <= %(latest)s then push_asked_at end,
    push_until = case when push_until <= %(latest)s + %(longest_lease)s then push_until end
where greatest(listed_at, checked_at, feed_at, feed_failed_at, list_failed_at, check_failed_at, push_asked_at) > %(latest)s
   or push_until > %(latest)s + %(longest_lease)s

-- name: mend_terms
-- A round that began in the future begins anew, over the whole window; what was mentioned or scored then fades from now on.
update search_queue
set added_at = least(added_at, %(now)s), mentioned_at = least(mentioned_at, %(now)s), scored_at = least(scored_at, %(now)s),
    last_searched_at = case when last_searched_at <= %(latest)s then last_searched_at end,
    token_at = case when token_at <= %(latest)s then token_at end,
    round_started_at = case when round_started_at <= %(latest)s then round_started_at end,
    searched_until = case when searched_until <= %(latest)s then searched_until end
where greatest(added_at, mentioned_at, scored_at, last_searched_at, token_at, round_started_at, searched_until) > %(latest)s

-- name: mend_campaigns
-- Nobody knows how old the token is, so the cell is read anew with what is left of its calls.
update campaigns
set page_token = case when token_at > %(latest)s then null else page_token end,
    token_at = case when token_at <= %(latest)s then token_at end, finished_at = least(finished_at, %(now)s)
where greatest(token_at, finished_at) > %(latest)s

-- name: mend_back_catalogues
-- A list that failed in the future is due.
update back_catalogues
set failures = case when failed_at > %(latest)s then 0 else failures end,
    failed_at = case when failed_at <= %(latest)s then failed_at end,
    token_at = case when token_at <= %(latest)s then token_at end,
    added_at = least(added_at, %(now)s), finished_at = least(finished_at, %(now)s)
where greatest(token_at, failed_at, added_at, finished_at) > %(latest)s
