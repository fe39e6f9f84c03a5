/** MariaDB (or MySQL) and Redis as programs. The tests start private ones; none is left running as a service. */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');

var STORES = [
  { name: 'MariaDB', programs: ['mariadbd', 'mysqld'], packages: { 'apt-get': ['mariadb-server'], dnf: ['mariadb-server'], apk: ['mariadb'], brew: ['mariadb'] } },
  {
    name: 'Redis',
    programs: ['redis-server', 'valkey-server'],
    packages: { 'apt-get': ['redis-server'], dnf: ['redis', 'valkey'], apk: ['redis'], brew: ['redis'] }
  }
];

/** An ordinary user's PATH does not reach the folders of servers. */
var USUAL_FOLDERS = ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', '/usr/libexec', '/usr/local/mysql/bin', '/opt/homebrew/bin', '/opt/homebrew/sbin'];

/** A list of packages means: the first of them that the system knows. */
var MANAGERS = {
  'apt-get': {
    before: 'apt-get update -q || true',
    install: 'apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300',
    asRoot: true
  },
  dnf: { before: 'true', install: 'dnf install -y -q', asRoot: true },
  apk: { before: 'true', install: 'apk add --no-progress', asRoot: true },
  brew: { before: 'true', install: 'brew install -q', asRoot: false }
};

/** Debian starts a server as soon as it is unpacked, unless this file says no. One that is there already is not ours. */
var KEEP_SERVERS_STOPPED = [
  'policy=/usr/sbin/policy-rc.d',
  'if [ ! -e $policy ]; then',
  '  trap "rm -f $policy" EXIT',
  '  trap "exit 1" HUP INT TERM',
  '  printf "#!/bin/sh\\nexit 101\\n" > $policy',
  '  chmod 755 $policy',
  'fi'
].join('\n');

function install() {
  var missing = STORES.filter(isMissing);
  if (missing.length === 0) return;
  var manager = Object.keys(MANAGERS).filter(function (name) { return findProgram(name); })[0];
  if (!manager) throw new Error(byHand(missing, 'this system has no package manager known here'));
  processes.say('Installing ' + names(missing) + ' with ' + manager + ' (their services are not started).');
  var command = asAllowed(manager, script(manager, missing));
  try {
    processes.mustSucceed('The installation', command[0], command.slice(1));
  } catch (error) {
    throw new Error(error.message + '\n' + byHand(missing, 'the installation failed'));
  }
  var still = missing.filter(isMissing);
  if (still.length > 0) throw new Error(byHand(still, 'the installation brought no such program'));
}

function script(name, missing) {
  var manager = MANAGERS[name];
  var lines = ['set -e', 'export DEBIAN_FRONTEND=noninteractive'];
  if (name === 'apt-get') lines.push(KEEP_SERVERS_STOPPED);
  lines.push(manager.before);
  missing.forEach(function (store) {
    lines.push(store.packages[name].map(function (one) { return manager.install + ' ' + one; }).join(' || '));
  });
  return lines.join('\n');
}

function asAllowed(manager, text) {
  var isRoot = !process.getuid || process.getuid() === 0;
  var command = ['/bin/sh', '-c', text];
  return MANAGERS[manager].asRoot && !isRoot ? ['sudo', '-n'].concat(command) : command;
}

function isMissing(store) {
  return !store.programs.some(findProgram);
}

function findProgram(name) {
  var folders = (process.env.PATH || '').split(path.delimiter).concat(USUAL_FOLDERS);
  return folders.some(function (folder) { return folder !== '' && fs.existsSync(path.join(folder, name)); });
}

function names(stores) {
  return stores.map(function (store) { return store.name; }).join(' and ');
}

function byHand(missing, why) {
  var wanted = missing.map(function (store) { return store.name + ' (' + store.programs.join(' or ') + ')'; }).join(' and ');
  var packages = missing.map(function (store) { return store.packages['apt-get'][0]; }).join(' ');
  return wanted + ' must be installed by hand, because ' + why + '. On Debian and Ubuntu, as root: apt-get install ' + packages;
}

module.exports = { install: install };
