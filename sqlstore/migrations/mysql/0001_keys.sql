-- +goose Up
-- One row is one key, and one column one field of store.Record. Times are integers: microseconds
-- since 1970-01-01 00:00:00 UTC. NULL means never.
--
-- All text is UTF-8 in binary columns, which alone compare byte by byte in both MySQL and MariaDB:
-- every collation that both know folds case or ignores spaces at the end. Look at it with
-- CONVERT(label USING utf8mb4).
--
-- Statements that change a schema commit at once. IF NOT EXISTS lets a migration that was cut off be
-- applied again; the number of the migration, which comes last, says that it is complete.
--
-- ids lie in descending order, so that a list, newest first, reads forwards: while deleted rows are
-- cleaned away, an InnoDB that reads backwards can miss rows that nobody touched.

CREATE TABLE IF NOT EXISTS `latchkey_keys` (
  id               VARBINARY(20)   NOT NULL,
  owner            VARBINARY(255)  NOT NULL,
  prefix           VARBINARY(32)   NOT NULL,
  alias            VARBINARY(255), -- NULL where the key has none
  label            VARBINARY(1020) NOT NULL,
  hint             VARBINARY(32)   NOT NULL,
  scopes           MEDIUMBLOB      NOT NULL,
  contacts         MEDIUMBLOB      NOT NULL,
  metadata         MEDIUMBLOB      NOT NULL,
  scheme           VARBINARY(255)  NOT NULL,
  hash             VARBINARY(1024) NOT NULL,
  created_at       BIGINT          NOT NULL,
  updated_at       BIGINT          NOT NULL,
  expires_at       BIGINT,
  revoked_at       BIGINT,
  revoked_reason   VARBINARY(1020) NOT NULL,
  last_used_at     BIGINT,
  rotated_at       BIGINT,
  activated_at     BIGINT,
  grace            BIGINT          NOT NULL,
  prior_hint       VARBINARY(32)   NOT NULL,
  prior_scheme     VARBINARY(255)  NOT NULL,
  prior_hash       VARBINARY(1024) NOT NULL,
  prior_expires_at BIGINT,
  reminded_for     BIGINT,
  reminding_until  BIGINT,
  version          BIGINT          NOT NULL,

  PRIMARY KEY (id DESC),

  -- An owner's page walks the first of these from the cursor; its last two columns let a page of keys in
  -- one state pass all others without reading their rows. The cap on active keys is counted in the second,
  -- past all that are revoked or expired. Queries name the indexes: do not rename or drop them.
  INDEX `latchkey_keys_owner` (owner, id DESC, revoked_at, expires_at),
  INDEX `latchkey_keys_active` (owner, revoked_at, expires_at),
  UNIQUE INDEX `latchkey_keys_alias` (alias),
  INDEX `latchkey_keys_expires` (expires_at),
  INDEX `latchkey_keys_prior` (prior_expires_at),
  INDEX `latchkey_keys_revoked` (revoked_at),
  INDEX `latchkey_keys_updated` (updated_at)
) ENGINE = InnoDB;

-- Whoever creates a key under a cap writes the row of its owner first and so waits for everyone else
-- who does. What is counted there serves nothing else.
CREATE TABLE IF NOT EXISTS `latchkey_keys_owners` (
  owner   VARBINARY(255) NOT NULL PRIMARY KEY,
  creates BIGINT         NOT NULL
) ENGINE = InnoDB;

-- The row of the empty owner, which no key has, is where writes of one alias take turns that had a
-- deadlock before. It is here from the start, because to be the first to insert it would be such a contest.
INSERT IGNORE INTO `latchkey_keys_owners` (owner, creates) VALUES ('', 0);

-- Every migration records its number here, whoever applies it: Migrate and a migration tool leave
-- the same database behind.
CREATE TABLE IF NOT EXISTS `latchkey_keys_schema` (version BIGINT NOT NULL PRIMARY KEY) ENGINE = InnoDB;

INSERT INTO `latchkey_keys_schema` (version) VALUES (1);
