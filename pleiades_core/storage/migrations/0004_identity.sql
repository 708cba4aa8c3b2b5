-- Which installation this database is, and how far its vault had come when the database last wrote there (vault/owner.py).

-- installation_id: written into the vault at its first use; a vault of another installation is refused.
-- vault_revision: counts the marks that were written into the vault; 0: this database was never used with a vault. A vault whose
-- mark is higher was used by a newer copy of this database.
-- first_day: the UTC day on which the installation was made, by its own clock; null until then.
alter table installation
    add column installation_id uuid not null default gen_random_uuid(),
    add column vault_revision  bigint not null default 0,
    add column first_day       date;

-- Every epoch that this installation has had. A batch file of another epoch is foreign.
create table epochs (
    epoch uuid primary key,
    since timestamptz not null default now()
);
insert into epochs (epoch) select epoch from installation;

-- 2 billion videos are a few years of 1 M a day.
alter sequence vid as bigint;
alter table videos alter column vid type bigint;
alter table watchlist alter column vid type bigint;
