/** Node 24 and an npm that knows the lock file, private to this folder where the machine's own are too old. */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');

var OLDEST_NODE = 24;
var OLDEST_NPM = 10;
var NODE_VERSION = '24.21.0';
var NPM_VERSION = '11.21.2';

/** Returns { node, npm, env }: Node's path, npm as [program, arguments...], and an environment in which `node` is that Node. */
function provide(root) {
  var machineNpm = findMachineNpm();
  if (major(process.versions.node) >= OLDEST_NODE && major(versionOf(machineNpm)) >= OLDEST_NPM) {
    return tools(process.execPath, machineNpm);
  }
  var folder = path.join(root, '.runtime');
  var node = findPrivateNode(folder);
  if (!node || !fs.existsSync(privateNpm(folder))) {
    requireNpm(machineNpm);
    fetchRuntime(folder, machineNpm);
    node = findPrivateNode(folder);
  }
  if (!node) throw new Error('Node ' + NODE_VERSION + ' does not run on this machine. Install Node 24 by hand (https://nodejs.org) and try again.');
  return tools(node, [node, privateNpm(folder)]);
}

function tools(node, npm) {
  var env = withoutOuterNpm(process.env);
  env.PATH = path.dirname(node) + path.delimiter + env.PATH;
  return { node: node, npm: npm, env: env };
}

/** What `npm test` tells its scripts about itself would mislead another npm in another folder. */
function withoutOuterNpm(env) {
  var kept = {};
  Object.keys(env).forEach(function (name) {
    if (!/^npm_(package_|lifecycle_|config_(local_prefix|prefix|global_prefix|npm_version|user_agent|node_gyp)$)/.test(name)) kept[name] = env[name];
  });
  return kept;
}

/** The npm we were started by, else the first on the PATH. */
function findMachineNpm() {
  var cli = process.env.npm_execpath;
  return cli && path.basename(cli) === 'npm-cli.js' ? [process.execPath, cli] : ['npm'];
}

function versionOf(npm) {
  return processes.attempt(npm[0], npm.slice(1).concat('--version'), { env: withoutOuterNpm(process.env) }) || '';
}

function requireNpm(npm) {
  if (versionOf(npm) === '') throw new Error('npm is not installed. Install it (Debian and Ubuntu: apt-get install npm) and try again.');
}

function fetchRuntime(folder, npm) {
  processes.say('Fetching Node ' + NODE_VERSION + ' and npm ' + NPM_VERSION + ' into .runtime/ (this machine has Node ' + process.versions.node + ').');
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  // The package `node` fetches the binary in an install script, which some settings forbid and some machines fail.
  // The binary's own package needs no script.
  var byScript = npmInstall(folder, npm, ['node@' + NODE_VERSION, 'npm@' + NPM_VERSION]);
  if (byScript.ok && findPrivateNode(folder)) return;
  var direct = npmInstall(folder, npm, [platformPackage() + '@' + NODE_VERSION, 'npm@' + NPM_VERSION]);
  if (!direct.ok) throw direct.error;
}

function npmInstall(folder, npm, packages) {
  var args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--no-package-lock'].concat(packages);
  try {
    processes.mustSucceed('Fetching Node', npm[0], npm.slice(1).concat(args), { cwd: folder, env: withoutOuterNpm(process.env) });
    return { ok: true };
  } catch (error) {
    return { ok: false, error: error };
  }
}

function findPrivateNode(folder) {
  var candidates = ['node', platformPackage()].map(function (name) { return path.join(folder, 'node_modules', name, 'bin', 'node'); });
  return candidates.filter(function (candidate) {
    return fs.existsSync(candidate) && major((processes.attempt(candidate, ['--version']) || '').replace('v', '')) >= OLDEST_NODE;
  })[0];
}

function platformPackage() {
  return 'node-' + process.platform + '-' + process.arch;
}

function privateNpm(folder) {
  return path.join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js');
}

function major(version) {
  return Number(String(version).trim().split('.')[0]) || 0;
}

module.exports = { provide: provide };
