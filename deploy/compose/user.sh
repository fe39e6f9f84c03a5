#!/bin/sh
# Run by the image of MySQL when it makes a new database: the user of the service, with the rights of docs/database.md and no others.
MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --protocol=socket --user=root <<SQL
CREATE USER 'tokenpool'@'%' IDENTIFIED BY '$TOKENPOOL_DATABASE_PASSWORD';
GRANT SELECT, INSERT, UPDATE, DELETE ON token_service.* TO 'tokenpool'@'%';
SQL
