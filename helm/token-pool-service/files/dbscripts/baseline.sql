-- token-pool-service, schema 2.0.0, for a new database.
--
--   mysql -u root -p < dbscripts/baseline.sql
--
-- For another schema name change `token_service` in the two statements below.
-- This script never drops or changes a table. Where a table of the service is there already it stops at its first
-- CREATE TABLE ("Table 'tsxwho' already exists") with nothing changed: such a database wants the migration scripts.
--
-- Text is utf8mb4_bin: letter case and accents count. Like every PAD SPACE collation it ignores spaces at the end, so
-- 'owner' and 'owner ' are one owner id; the service itself compares owner ids trimmed.

CREATE DATABASE IF NOT EXISTS `token_service` DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
USE `token_service`;

-- Owners: for whom tokens are kept, and how a refresh of theirs behaves.
CREATE TABLE tsxwho (
  tsxwhodid int NOT NULL AUTO_INCREMENT,
  ownerid varchar(200) NOT NULL,
  tokenurl varchar(400) NOT NULL,
  defaultconnectionresettime bigint NOT NULL, -- ms a handed-out token counts as in use
  isvalid bit(1) NOT NULL,
  createddate datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
  uc int DEFAULT '0', -- update count, against dirty updates
  reattmptcount int DEFAULT NULL, -- failed attempts since the last success
  retrymax int DEFAULT NULL,
  retrydelay int DEFAULT NULL, -- ms between two attempts
  refreshmode varchar(10) NOT NULL DEFAULT 'auto',
  providerpolicy varchar(20) NOT NULL DEFAULT 'reuse_detect', -- what the provider does with a refresh token used twice
  gracems int NOT NULL DEFAULT '0', -- ms in which policy grace allows a second use
  PRIMARY KEY (tsxwhodid),
  UNIQUE KEY ownerid_UNIQUE (ownerid),
  CONSTRAINT ck01tsxwho CHECK (refreshmode IN ('auto', 'overlap', 'drain')),
  CONSTRAINT ck02tsxwho CHECK (providerpolicy IN ('reuse_detect', 'grace', 'non_rotating'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Tokens. A refresh adds a row that names the old one in parenttokendid, and sets isvalid of the old row to 0.
CREATE TABLE tsttoken (
  tokendid int NOT NULL AUTO_INCREMENT,
  tsxwhodid int NOT NULL,
  tokenauth varchar(2000) NOT NULL, -- base64 of client_id:client_secret, or its sealed form
  tokenvalidity bigint NOT NULL, -- ms from createdtime to expiry
  accesstoken mediumtext,
  refreshtoken mediumtext,
  parenttokendid int DEFAULT NULL, -- the token this one replaced; one child per parent
  isvalid bit(1) NOT NULL,
  uc int DEFAULT '0',
  createdtime timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  state varchar(10) NOT NULL DEFAULT 'idle',
  attempt char(32) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL, -- id of the refresh that holds the row
  attemptepoch bigint DEFAULT NULL,
  attemptnode varchar(100) DEFAULT NULL,
  statesince timestamp(3) NULL DEFAULT NULL,
  retrycount int NOT NULL DEFAULT '0',
  dueat bigint DEFAULT NULL, -- epoch ms of the next planned action; NULL is not planned yet
  PRIMARY KEY (tokendid),
  UNIQUE KEY uk01tsttoken (parenttokendid),
  UNIQUE KEY uk02tsttoken (attempt),
  KEY ix01tsttoken (tsxwhodid, isvalid),
  KEY ix02tsttoken (isvalid, state, dueat),
  CONSTRAINT fk01tsttoken FOREIGN KEY (tsxwhodid) REFERENCES tsxwho (tsxwhodid) ON DELETE NO ACTION ON UPDATE NO ACTION,
  CONSTRAINT ck01tsttoken CHECK (state IN ('idle', 'claimed', 'sending', 'in_doubt', 'stopped', 'dead'))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- History, for people. Never holds a token or a secret.
CREATE TABLE tstevent (
  eventdid bigint NOT NULL AUTO_INCREMENT,
  jobname varchar(200) NOT NULL,
  createdtime timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  text varchar(400) DEFAULT NULL,
  event varchar(100) NOT NULL,
  status varchar(100) NOT NULL,
  PRIMARY KEY (eventdid),
  KEY ix01tstevent (createdtime)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Whom a failure of an owner is mailed to, an address a row.
CREATE TABLE tstemail (
  idtstemail int NOT NULL AUTO_INCREMENT,
  tsxwhodid int NOT NULL,
  tstmailaddr varchar(200) DEFAULT NULL,
  PRIMARY KEY (idtstemail),
  KEY ix01tstemail (tsxwhodid)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Refresh tokens that were, or may have been, presented to a provider. The primary key is what keeps one from being
-- presented twice: never delete a row while its token may still be known to the provider.
CREATE TABLE tstspent (
  fingerprint binary(32) NOT NULL, -- HMAC of the refresh token
  tokendid int NOT NULL,
  attempt char(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch bigint NOT NULL,
  createdtime timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (fingerprint),
  KEY ix01tstspent (tokendid),
  KEY ix02tstspent (attempt)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The master's term number. One row.
CREATE TABLE tstepoch (
  id tinyint NOT NULL,
  epoch bigint NOT NULL,
  holder varchar(100) DEFAULT NULL,
  since timestamp(3) NULL DEFAULT NULL,
  leaseuntil bigint DEFAULT NULL, -- epoch ms by the clock of the database
  PRIMARY KEY (id),
  CONSTRAINT ck01tstepoch CHECK (id = 1)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Keys the service makes for itself, such as the one of the fingerprints.
CREATE TABLE tstkey (
  name varchar(50) NOT NULL,
  value varchar(500) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Which schema this is. Written last: without its row the set-up counts as interrupted.
CREATE TABLE tstschema (
  version varchar(20) NOT NULL,
  appliedtime timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO tstepoch (id, epoch) VALUES (1, 0);
INSERT INTO tstschema (version) VALUES ('2.0.0');
COMMIT;
