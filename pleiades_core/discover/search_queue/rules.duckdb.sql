-- Rules of the search queue as DuckDB macros: twins of the functions of these names in storage/migrations/0001_base.sql and in
-- bandit.py. tests/postgres/storage/test_rules.py compares the three.

-- What is left of a sum that was written at `since`, when `kept_a_day` of it stays after each day. Instants in Unix seconds.
create macro discounted(value, since, now, kept_a_day) as
    value * pow(kept_a_day, greatest(0, (now - coalesce(since, now)) / 86400));

-- The reward that the next request of a term is expected to bring, from its evidence and its prior.
create macro expected_reward(requests, reward, prior, prior_requests) as
    (prior_requests * prior + reward) / (prior_requests + requests);

-- The mean yield of all terms, from the sums of their yields and weights; `usual` counts as `pool_terms` terms do.
create macro mean_reward(yields, weights, usual, pool_terms) as
    (pool_terms * usual + yields) / (pool_terms + weights);
