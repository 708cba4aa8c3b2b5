-- The search queue: discover/search_queue/. Every writer takes the lock of discovery (storage/locks.py): a
-- transaction that admits videos holds other rows already, and two that wait for each other's are a deadlock. Mentions and culls pass
-- over rows that are held all the same: they come again. Pages and where a round goes on do not.

-- name: seed_terms
-- Terms that are not in the queue yet. Their `added_at` is null, which counts as the longest wait.
insert into search_queue (term, priority) select term, %(priority)s from unnest(%(terms)s::text[]) as given (term)
on conflict (term) do nothing

-- name: add_term
-- What a person wants searched; once more changes the priority.
insert into search_queue (term, priority, added_at) values (%(term)s, %(priority)s, %(now)s)
on conflict (term) do update set priority = excluded.priority

-- name: terms
-- The whole queue, in the order of the seed.
select term, priority, mentions, mentioned_at, requests, reward, scored_at, prior_mean, last_searched_at, added_at,
       next_page_token, token_at, round_started_at, searched_until, found
from search_queue
order by priority desc, mentions desc, term

-- name: ack_term
-- A page of results is durable; the round goes on only from where the page was asked for.
update search_queue q
set next_page_token = case when here then %(next_page_token)s else next_page_token end,
    token_at = case when here then %(now)s else token_at end,
    round_started_at = case when here then %(round_started_at)s else round_started_at end,
    searched_until = case when here then greatest(searched_until, %(searched_until)s) else searched_until end,
    last_searched_at = greatest(last_searched_at, %(now)s), found = found + %(found)s
from (
    select term, next_page_token is not distinct from %(held_token)s
             and round_started_at is not distinct from %(held_round)s as here
    from search_queue where term = %(term)s
    for no key update
) as present
where q.term = present.term

-- name: requested
-- Another page of the term, and what it brought.
update search_queue q
set requests = discounted(q.requests, q.scored_at, %(now)s, %(kept_a_day)s) + 1,
    reward = discounted(q.reward, q.scored_at, %(now)s, %(kept_a_day)s) + %(reward)s, scored_at = greatest(q.scored_at, %(now)s)
from (select term from search_queue where term = %(term)s for no key update) as present
where q.term = present.term

-- name: mention_terms
-- Known terms are mentioned once more; up to `most` others enter, in the order given.
with offered as (
    select * from unnest(%(terms)s::text[], %(parents)s::text[]) with ordinality as given (term, parent, place)
), held as materialized (
    select q.term, discounted(q.mentions, q.mentioned_at, %(now)s, %(mentions_kept_a_day)s) as mentions
    from search_queue q where q.term = any(%(terms)s)
    for no key update skip locked
), mentioned as (
    update search_queue q
    set mentions = held.mentions + 1, mentioned_at = greatest(q.mentioned_at, %(now)s)
    from held where q.term = held.term
    returning q.term
), term_lock as materialized (
    -- Another hunter that adds terms at this moment adds nearly the same terms: an insert would wait for its end.
    select pg_try_advisory_xact_lock(%(lock)s) as is_granted
), entering as (
    select offered.* from offered, term_lock
    where term_lock.is_granted and not exists (select 1 from search_queue q where q.term = offered.term)
    order by place limit %(most)s
), added as (
    insert into search_queue (term, mentions, mentioned_at, added_at, prior_mean)
    select e.term, 1, %(now)s, %(now)s,
           %(lift)s * expected_reward(p.requests, p.reward, coalesce(p.prior_mean, %(usual)s), %(prior_requests)s)
    from entering e left join search_queue p on p.term = e.parent
    on conflict (term) do nothing
    returning term
)
select (select count(*) from mentioned), (select count(*) from added)

-- name: usual_reward
-- The mean yield of the terms of the queue, and its length.
select mean_reward(
           coalesce(sum(reward / (%(prior_requests)s + requests)), 0), coalesce(sum(requests / (%(prior_requests)s + requests)), 0),
           %(usual)s, %(pool_terms)s
       ), count(*)
from (
    select discounted(requests, scored_at, %(now)s, %(kept_a_day)s) as requests,
           discounted(reward, scored_at, %(now)s, %(kept_a_day)s) as reward
    from search_queue
) as terms

-- name: cull_terms
-- Those that promise least leave, until the queue is within its cap. What a person prioritised stays, and what ever brought
-- more than was expected of it.
with promise as (
    select term, coalesce(mentioned_at, added_at) as since,
           discounted(requests, scored_at, %(now)s, %(kept_a_day)s) as requests,
           discounted(reward, scored_at, %(now)s, %(kept_a_day)s) as reward,
           coalesce(prior_mean, %(usual)s) as prior,
           mention_lift(discounted(mentions, mentioned_at, %(now)s, %(mentions_kept_a_day)s), %(most_mentions)s) as lift
    from search_queue
    where priority <= 0
), least as (
    select term from promise
    where not (requests > 0 and reward > requests * prior)
    order by expected_reward(requests, reward, prior * lift, %(prior_requests)s), since nulls first, term
    limit greatest(0, (select count(*) from search_queue) - %(cap)s)
), held as materialized (
    select term from search_queue where term in (select term from least) for update skip locked
)
delete from search_queue q using held where q.term = held.term

-- name: rescore_terms
-- What the vault says of every term; a term that was requested while the vault was read keeps what the request wrote.
update search_queue q
set requests = given.requests, reward = given.reward, prior_mean = coalesce(given.prior_mean, q.prior_mean), scored_at = %(now)s
from unnest(%(terms)s::text[], %(requests)s::float8[], %(rewards)s::float8[], %(priors)s::float8[], %(seen)s::timestamptz[])
    as given (term, requests, reward, prior_mean, seen)
where q.term = given.term and q.scored_at is not distinct from given.seen

-- name: search_requests
-- When each term was searched, as far as SQL still knows; which requests count says discover/search_queue/rewards.duckdb.sql.
select requested_at, target, error from discovery_requests where source = 'search' and requested_at >= %(since)s
