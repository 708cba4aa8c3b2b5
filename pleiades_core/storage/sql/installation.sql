-- Table installation: vault/owner.py.

-- name: identity
-- Id, epochs and vault revision of this database.
select installation_id as installation, vault_revision as revision, array(select epoch from epochs) as epochs,
       (select case when is_called then last_value else 0 end from vid) as vid
from installation

-- name: raise_revision
-- Count one mark more, and say what the mark is to say.
update installation set vault_revision = vault_revision + 1
returning installation_id as installation, vault_revision as revision, array(select epoch from epochs) as epochs,
          (select case when is_called then last_value else 0 end from vid) as vid
