-- token-pool-service, schema 1.1.5 or 1.1.7 to 1.1.8: tokens may live longer than 24 days.
--
--   mysql -u root -p < dbscripts/migration1_1_7to1_1_8.sql
--
-- Stop the service and back the database up first. For another schema name change `token_service` below.
-- Can be run again after it was interrupted. Then run migration1_1_8to2_0_0.sql.

USE `token_service`;

SET @step = IF((SELECT COUNT(*) FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'tsttoken' AND column_name = 'tokenvalidity' AND data_type = 'bigint') > 0, 'DO 0',
  'ALTER TABLE tsttoken MODIFY COLUMN tokenvalidity bigint NOT NULL');
PREPARE step FROM @step;
EXECUTE step;
DEALLOCATE PREPARE step;
