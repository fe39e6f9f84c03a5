-- token-pool-service, schema 1.1.8 to 2.0.0: long tokens, refreshes of several masters, exact owner ids.
--
--   mysql -u root -p < dbscripts/migration1_1_8to2_0_0.sql
--
-- Back the database up first. For another schema name change `token_service` below. The old service may go on running:
-- see docs/upgrade.md.
-- No row is dropped. Can be run again after it was interrupted; each step looks whether it was done, and the row of
-- tstschema is written last. Every step rewrites a table, so allow some minutes for a long history in tstevent; writes to
-- that table wait meanwhile, and are not refused.
-- Text becomes utf8mb4_bin: letter case counts from now on. See baseline.sql.

USE `token_service`;

-- Stops here, with nothing changed, where an earlier script has not been run ("Unknown column", "Table doesn't exist").
DO (SELECT COUNT(retrydelay) FROM tsxwho), (SELECT COUNT(*) FROM tstemail);

-- Without NO_ZERO_DATE: old rows may hold a zero date. NO_AUTO_VALUE_ON_ZERO: a row with id 0 keeps it.
SET @old_sql_mode = @@SESSION.sql_mode, SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';

-- What is only looked at is not locked: the old service's writes must not wait for a search of the whole table.
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;

-- History -----------------------------------------------------------------------------------------------------------

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tstevent' AND column_name = 'eventdid' AND data_type = 'bigint') > 0, 'DO 0',
  'ALTER TABLE tstevent ROW_FORMAT=DYNAMIC,
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    MODIFY COLUMN eventdid bigint NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN jobname varchar(200) NOT NULL,
    MODIFY COLUMN createdtime timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
    MODIFY COLUMN text varchar(400) DEFAULT NULL,
    MODIFY COLUMN event varchar(100) NOT NULL,
    MODIFY COLUMN status varchar(100) NOT NULL,
    ADD KEY ix01tstevent (createdtime)');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Recipients --------------------------------------------------------------------------------------------------------

SET @step = IF((SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'tstemail' AND index_name = 'ix01tstemail') > 0, 'DO 0',
  'ALTER TABLE tstemail ROW_FORMAT=DYNAMIC,
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    MODIFY COLUMN tstmailaddr varchar(200) DEFAULT NULL,
    ADD KEY ix01tstemail (tsxwhodid)');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Owners ------------------------------------------------------------------------------------------------------------

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tsxwho' AND column_name = 'refreshmode') > 0, 'DO 0',
  'ALTER TABLE tsxwho ROW_FORMAT=DYNAMIC,
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    MODIFY COLUMN ownerid varchar(200) NOT NULL,
    MODIFY COLUMN tokenurl varchar(400) NOT NULL,
    MODIFY COLUMN reattmptcount int DEFAULT NULL,
    MODIFY COLUMN retrymax int DEFAULT NULL,
    ADD COLUMN refreshmode varchar(10) NOT NULL DEFAULT ''auto'',
    ADD COLUMN providerpolicy varchar(20) NOT NULL DEFAULT ''reuse_detect'',
    ADD COLUMN gracems int NOT NULL DEFAULT ''0'',
    ADD CONSTRAINT ck01tsxwho CHECK (refreshmode IN (''auto'', ''overlap'', ''drain'')),
    ADD CONSTRAINT ck02tsxwho CHECK (providerpolicy IN (''reuse_detect'', ''grace'', ''non_rotating''))');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- Tokens ------------------------------------------------------------------------------------------------------------

-- A token without a validity is one that has expired: so it was read so far.
START TRANSACTION;
INSERT INTO tstevent (jobname, event, status, text)
  SELECT 'migration', '2001', '4002', CONCAT('tsttoken ', tokendid, ' had no tokenvalidity, it is 0 now')
  FROM tsttoken WHERE tokenvalidity IS NULL;
UPDATE tsttoken SET tokenvalidity = 0 WHERE tokenvalidity IS NULL;
COMMIT;

-- parenttokendid becomes unique, so every token must be free to get its one child. Links in the way are cleared and,
-- but for 0, which never meant a token, written to the history:
--   of several children of one parent the youngest keeps its link;
--   a link to a token that is still valid, to none at all, or to the row itself would block that token's next refresh.
-- Only before the key is there: afterwards the links are the service's own.
SET @links_unchecked = (SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'tsttoken' AND index_name = 'uk01tsttoken') = 0;
DROP TEMPORARY TABLE IF EXISTS links_in_the_way;
CREATE TEMPORARY TABLE links_in_the_way (tokendid int NOT NULL, text varchar(400) DEFAULT NULL, PRIMARY KEY (tokendid))
  DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
INSERT INTO links_in_the_way
  SELECT child.tokendid, IF(child.parenttokendid = 0, NULL, CONCAT('tsttoken ', child.tokendid, ' no longer names ', child.parenttokendid, ' as its parent: ',
    CASE WHEN child.parenttokendid = child.tokendid THEN 'that is the row itself'
      WHEN parent.tokendid IS NULL THEN 'there is no such token'
      WHEN parent.isvalid = 1 THEN 'that token is still valid'
      ELSE CONCAT('tsttoken ', youngest.tokendid, ' names it too') END))
  FROM tsttoken child
    JOIN (SELECT parenttokendid, MAX(tokendid) AS tokendid FROM tsttoken GROUP BY parenttokendid) youngest
      ON youngest.parenttokendid = child.parenttokendid
    LEFT JOIN tsttoken parent ON parent.tokendid = child.parenttokendid
  WHERE @links_unchecked AND (child.parenttokendid = 0 OR child.parenttokendid = child.tokendid
    OR parent.tokendid IS NULL OR parent.isvalid = 1 OR child.tokendid < youngest.tokendid);
START TRANSACTION;
INSERT INTO tstevent (jobname, event, status, text)
  SELECT 'migration', '2001', '4002', text FROM links_in_the_way WHERE text IS NOT NULL;
UPDATE links_in_the_way link STRAIGHT_JOIN tsttoken child ON child.tokendid = link.tokendid
  SET child.parenttokendid = NULL;
COMMIT;
DROP TEMPORARY TABLE links_in_the_way;

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tsttoken' AND column_name = 'state') > 0, 'DO 0',
  'ALTER TABLE tsttoken ROW_FORMAT=DYNAMIC,
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    MODIFY COLUMN tokenauth varchar(2000) NOT NULL,
    MODIFY COLUMN tokenvalidity bigint NOT NULL,
    MODIFY COLUMN accesstoken mediumtext,
    MODIFY COLUMN refreshtoken mediumtext,
    MODIFY COLUMN createdtime timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    ADD COLUMN state varchar(10) NOT NULL DEFAULT ''idle'',
    ADD COLUMN attempt char(32) CHARACTER SET ascii COLLATE ascii_bin DEFAULT NULL,
    ADD COLUMN attemptepoch bigint DEFAULT NULL,
    ADD COLUMN attemptnode varchar(100) DEFAULT NULL,
    ADD COLUMN statesince timestamp(3) NULL DEFAULT NULL,
    ADD COLUMN retrycount int NOT NULL DEFAULT ''0'',
    ADD COLUMN dueat bigint DEFAULT NULL,
    ADD UNIQUE KEY uk01tsttoken (parenttokendid),
    ADD UNIQUE KEY uk02tsttoken (attempt),
    ADD KEY ix01tsttoken (tsxwhodid, isvalid),
    ADD KEY ix02tsttoken (isvalid, state, dueat),
    ADD CONSTRAINT ck01tsttoken CHECK (state IN (''idle'', ''claimed'', ''sending'', ''in_doubt'', ''stopped'', ''dead''))');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- ix01tsttoken serves the foreign key from now on; the server drops its own index for it only where it made it itself.
SET @step = IF((SELECT COUNT(*) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'tsttoken' AND index_name = 'fk01tsttoken') = 0, 'DO 0',
  'ALTER TABLE tsttoken DROP KEY fk01tsttoken');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;

-- What is new; see baseline.sql for what each table is for ------------------------------------------------------------

CREATE TABLE IF NOT EXISTS tstspent (
  fingerprint binary(32) NOT NULL,
  tokendid int NOT NULL,
  attempt char(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  epoch bigint NOT NULL,
  createdtime timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (fingerprint),
  KEY ix01tstspent (tokendid),
  KEY ix02tstspent (attempt)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tstepoch (
  id tinyint NOT NULL,
  epoch bigint NOT NULL,
  holder varchar(100) DEFAULT NULL,
  since timestamp(3) NULL DEFAULT NULL,
  leaseuntil bigint DEFAULT NULL,
  PRIMARY KEY (id),
  CONSTRAINT ck01tstepoch CHECK (id = 1)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tstkey (
  name varchar(50) NOT NULL,
  value varchar(500) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tstschema (
  version varchar(20) NOT NULL,
  appliedtime timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (version)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO tstepoch (id, epoch) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id;
INSERT INTO tstschema (version) VALUES ('2.0.0') ON DUPLICATE KEY UPDATE version = version;
COMMIT;

SET SESSION sql_mode = @old_sql_mode;
