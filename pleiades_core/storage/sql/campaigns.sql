-- Table campaigns: discover/search_queue/campaigns.py. A row that another hunter holds is passed over, as in terms.sql.

-- name: add_campaign
-- A way through the past, from its newest month on.
insert into campaigns (name, first_month, last_month, categories, month, category)
values (%(name)s, %(first)s, %(last)s, %(categories)s::smallint[], %(last)s, (%(categories)s::smallint[])[1])
on conflict (name) do nothing

-- name: remove_campaign
-- Delete the campaign; its videos stay.
delete from campaigns where name = %(name)s

-- name: campaigns
-- All of them, those first that were asked least.
select name, first_month, last_month, categories, month, category, pages, page_token, token_at, searches, found, cut, failures,
       finished_at
from campaigns
order by searches, name

-- name: leave_cell
-- The token of its next page has died; nobody has asked for it meanwhile.
update campaigns c
set month = %(month)s, category = %(category)s, pages = 0, page_token = null, token_at = %(now)s, cut = %(cut)s, failures = 0,
    finished_at = case when %(finished)s then %(now)s end
from (
    select name from campaigns
    where name = %(name)s and finished_at is null and month = %(held_month)s and category = %(held_category)s
      and page_token = %(held_token)s
    for no key update skip locked
) as present
where c.name = present.name

-- name: ack_page
-- A page is durable; the cursor moves only from where the page was asked for, what was found counts in any case.
update campaigns c
set month = case when here then %(month)s else c.month end, category = case when here then %(category)s else c.category end,
    pages = case when here then %(pages)s else c.pages end,
    page_token = case when here then %(page_token)s else c.page_token end,
    token_at = case when here then %(token_at)s else c.token_at end,
    finished_at = case when here and %(finished)s then %(now)s else c.finished_at end,
    cut = case when here then %(cut)s else c.cut end, failures = case when here then %(failures)s else c.failures end,
    searches = c.searches + 1, found = c.found + %(found)s
from (
    select name, finished_at is null and month = %(held_month)s and category = %(held_category)s
                 and page_token is not distinct from %(held_token)s as here
    from campaigns where name = %(name)s
    for no key update skip locked
) as present
where c.name = present.name

-- name: searches_answered
-- Whether any search was answered within the last minutes. If so, a failed search is the fault of its own cell.
select exists (
    select 1 from discovery_requests
    where requested_at > %(now)s - interval '10 minutes' and requested_at <= %(latest)s and bucket = 'search' and units > 0 and error is null
)
