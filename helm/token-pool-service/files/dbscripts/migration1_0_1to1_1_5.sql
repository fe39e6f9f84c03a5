-- token-pool-service, schema 1.0.1 to 1.1.5 (which is that of 1.1.7 too): recipients of mails, and retries.
--
--   mysql -u root -p < dbscripts/migration1_0_1to1_1_5.sql
--
-- Stop the service and back the database up first. For another schema name change `token_service` below.
-- Can be run again after it was interrupted; each step looks whether it was done. Then run migration1_1_7to1_1_8.sql.

USE `token_service`;

CREATE TABLE IF NOT EXISTS tstemail (
  idtstemail int NOT NULL AUTO_INCREMENT,
  tsxwhodid int NOT NULL,
  tstmailaddr varchar(200) DEFAULT NULL,
  PRIMARY KEY (idtstemail)
) ENGINE=InnoDB;

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tsxwho' AND column_name = 'retrydelay') > 0, 'DO 0',
  'ALTER TABLE tsxwho
    ADD COLUMN reattmptcount int DEFAULT NULL,
    ADD COLUMN retrymax int DEFAULT NULL,
    ADD COLUMN retrydelay int DEFAULT NULL');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
