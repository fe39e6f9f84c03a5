/** Programs by way of the system's package manager; none is left running as a service. */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');

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

/**
 * Each wanted is { name, programs, packages }: one of the programs must be there, else one of the packages is installed.
 * Throws an Error that says what to do by hand.
 */
function install(wanted) {
  var missing = wanted.filter(isMissing);
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
  missing.forEach(function (one) {
    lines.push(one.packages[name].map(function (candidate) { return manager.install + ' ' + candidate; }).join(' || '));
  });
  return lines.join('\n');
}

function asAllowed(manager, text) {
  var isRoot = !process.getuid || process.getuid() === 0;
  var command = ['/bin/sh', '-c', text];
  return MANAGERS[manager].asRoot && !isRoot ? ['sudo', '-n'].concat(command) : command;
}

function isMissing(one) {
  return !one.programs.some(findProgram);
}

function findProgram(name) {
  var folders = (process.env.PATH || '').split(path.delimiter).concat(USUAL_FOLDERS);
  return folders.some(function (folder) { return folder !== '' && fs.existsSync(path.join(folder, name)); });
}

function names(wanted) {
  return wanted.map(function (one) { return one.name; }).join(' and ');
}

function byHand(missing, why) {
  var wanted = missing.map(function (one) { return one.name + ' (' + one.programs.join(' or ') + ')'; }).join(' and ');
  var packages = missing.map(function (one) { return one.packages['apt-get'][0]; }).join(' ');
  return wanted + ' must be installed by hand, because ' + why + '. On Debian and Ubuntu, as root: apt-get install ' + packages;
}

module.exports = { findProgram: findProgram, install: install };
