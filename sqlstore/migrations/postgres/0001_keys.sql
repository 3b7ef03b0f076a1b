-- +goose Up
-- One row is one key, and one column one field of store.Record. Times are integers: microseconds
-- since 1970-01-01 00:00:00 UTC. NULL means never.
--
-- COLLATE "C" compares text byte by byte, whatever the collation of the database: ids sort as in
-- every other store, and no two spellings are taken for one.
--
-- ASC, the default of PostgreSQL, keeps engines that spread an index by hash from doing so here.

CREATE TABLE "latchkey_keys" (
  id               text COLLATE "C" NOT NULL PRIMARY KEY,
  owner            text COLLATE "C" NOT NULL,
  prefix           text COLLATE "C" NOT NULL,
  alias            text COLLATE "C", -- NULL where the key has none
  label            text COLLATE "C" NOT NULL,
  hint             text COLLATE "C" NOT NULL,
  scopes           text COLLATE "C" NOT NULL,
  contacts         text COLLATE "C" NOT NULL,
  metadata         text COLLATE "C" NOT NULL,
  scheme           text COLLATE "C" NOT NULL,
  hash             bytea            NOT NULL,
  created_at       bigint           NOT NULL,
  updated_at       bigint           NOT NULL,
  expires_at       bigint,
  revoked_at       bigint,
  revoked_reason   text COLLATE "C" NOT NULL,
  last_used_at     bigint,
  rotated_at       bigint,
  activated_at     bigint,
  grace            bigint           NOT NULL,
  prior_hint       text COLLATE "C" NOT NULL,
  prior_scheme     text COLLATE "C" NOT NULL,
  prior_hash       bytea            NOT NULL,
  prior_expires_at bigint,
  reminded_for     bigint,
  reminding_until  bigint,
  version          bigint           NOT NULL
);

-- An owner's page walks this index backwards from the cursor. The last two columns let a page of keys in
-- one state pass all others without reading their rows. last_used_at is in no index: writing it moves no
-- entry.
CREATE INDEX "latchkey_keys_owner" ON "latchkey_keys" (owner ASC, id ASC, revoked_at ASC, expires_at ASC);

-- The cap on active keys is counted here, past all that are revoked or expired.
CREATE INDEX "latchkey_keys_active" ON "latchkey_keys" (owner ASC, expires_at ASC) WHERE revoked_at IS NULL;

CREATE UNIQUE INDEX "latchkey_keys_alias" ON "latchkey_keys" (alias) WHERE alias IS NOT NULL;

CREATE INDEX "latchkey_keys_expires" ON "latchkey_keys" (expires_at ASC) WHERE expires_at IS NOT NULL;

CREATE INDEX "latchkey_keys_prior" ON "latchkey_keys" (prior_expires_at ASC) WHERE prior_expires_at IS NOT NULL;

CREATE INDEX "latchkey_keys_revoked" ON "latchkey_keys" (revoked_at ASC) WHERE revoked_at IS NOT NULL;

CREATE INDEX "latchkey_keys_updated" ON "latchkey_keys" (updated_at ASC);

-- Whoever creates a key under a cap writes the row of its owner first and so waits for everyone else
-- who does. What is counted there serves nothing else.
CREATE TABLE "latchkey_keys_owners" (
  owner   text COLLATE "C" NOT NULL PRIMARY KEY,
  creates bigint           NOT NULL
);

-- Every migration records its number here, whoever applies it: Migrate and a migration tool leave
-- the same database behind.
CREATE TABLE "latchkey_keys_schema" (version bigint NOT NULL PRIMARY KEY);

INSERT INTO "latchkey_keys_schema" (version) VALUES (1);
