-- +goose Up
-- One row is one key, and one column one field of store.Record. Times are integers: microseconds
-- since 1970-01-01 00:00:00 UTC. NULL means never.
--
-- STRICT: a value of the wrong type is an error and not a silent conversion. Without it an id
-- written as a blob would never equal the same id looked up as text.
--
-- WITHOUT ROWID: the row lies in the b-tree of its id, so reading one key descends one b-tree. A
-- table with a rowid keeps the id in a second one and descends both.
--
-- Queries name the indexes below, so that neither statistics nor a later SQLite can turn a lookup
-- into a scan. Do not rename or drop them.

CREATE TABLE "latchkey_keys" (
  id               TEXT    NOT NULL PRIMARY KEY,
  owner            TEXT    NOT NULL,
  prefix           TEXT    NOT NULL,
  alias            TEXT, -- NULL where the key has none
  label            TEXT    NOT NULL,
  hint             TEXT    NOT NULL,
  scopes           TEXT    NOT NULL,
  contacts         TEXT    NOT NULL,
  metadata         TEXT    NOT NULL,
  scheme           TEXT    NOT NULL,
  hash             BLOB    NOT NULL,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  expires_at       INTEGER,
  revoked_at       INTEGER,
  revoked_reason   TEXT    NOT NULL,
  last_used_at     INTEGER,
  rotated_at       INTEGER,
  activated_at     INTEGER,
  grace            INTEGER NOT NULL,
  prior_hint       TEXT    NOT NULL,
  prior_scheme     TEXT    NOT NULL,
  prior_hash       BLOB    NOT NULL,
  prior_expires_at INTEGER,
  reminded_for     INTEGER,
  reminding_until  INTEGER,
  version          INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An owner's page walks this index backwards from the cursor. The last two columns let a page of keys in
-- one state pass all others without reading their rows.
CREATE INDEX "latchkey_keys_owner" ON "latchkey_keys" (owner, id, revoked_at, expires_at);

-- The cap on active keys is counted here, past all that are revoked or expired.
CREATE INDEX "latchkey_keys_active" ON "latchkey_keys" (owner, revoked_at, expires_at);

CREATE UNIQUE INDEX "latchkey_keys_alias" ON "latchkey_keys" (alias) WHERE alias IS NOT NULL;

CREATE INDEX "latchkey_keys_expires" ON "latchkey_keys" (expires_at) WHERE expires_at IS NOT NULL;

CREATE INDEX "latchkey_keys_prior" ON "latchkey_keys" (prior_expires_at) WHERE prior_expires_at IS NOT NULL;

CREATE INDEX "latchkey_keys_revoked" ON "latchkey_keys" (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE INDEX "latchkey_keys_updated" ON "latchkey_keys" (updated_at);

-- Every migration records its number here, whoever applies it: Migrate and a migration tool leave
-- the same database behind.
CREATE TABLE "latchkey_keys_schema" (version INTEGER NOT NULL PRIMARY KEY) STRICT;

INSERT INTO "latchkey_keys_schema" (version) VALUES (1);
