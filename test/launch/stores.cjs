/** MariaDB (or MySQL) and Redis as programs: nothing runs without them. The tests start private ones. */
'use strict';

var systemPackages = require('./system-packages.cjs');

var STORES = [
  { name: 'MariaDB', programs: ['mariadbd', 'mysqld'], packages: { 'apt-get': ['mariadb-server'], dnf: ['mariadb-server'], apk: ['mariadb'], brew: ['mariadb'] } },
  {
    name: 'Redis',
    programs: ['redis-server', 'valkey-server'],
    packages: { 'apt-get': ['redis-server'], dnf: ['redis', 'valkey'], apk: ['redis'], brew: ['redis'] }
  }
];

function install() {
  systemPackages.install(STORES);
}

module.exports = { install: install };
