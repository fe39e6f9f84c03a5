/** node_modules as package-lock.json says, and dist/ as src/ says. */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');

function install(root, tools) {
  if (isInstalled(root)) return;
  processes.say('Installing the npm packages of package-lock.json into node_modules/.');
  // No dependency needs its install script; what runs none cannot be broken or abused through one.
  var args = ['ci', '--include=dev', '--ignore-scripts', '--no-audit', '--no-fund'];
  processes.mustSucceed('npm ci', tools.npm[0], tools.npm.slice(1).concat(args), { cwd: root, env: tools.env });
}

/** npm leaves a record of what it put into node_modules; a package for another platform is rightly not there. */
function isInstalled(root) {
  var wanted = readPackages(path.join(root, 'package-lock.json'));
  var present = readPackages(path.join(root, 'node_modules', '.package-lock.json'));
  return Object.keys(wanted).every(function (name) {
    if (name === '') return true;
    if (!present[name]) return wanted[name].optional === true;
    return present[name].version === wanted[name].version && fs.existsSync(path.join(root, name, 'package.json'));
  });
}

function readPackages(file) {
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).packages : {};
}

/** Incremental: an unchanged dist/ is not rewritten under a service that is running from it. */
function build(root, tools) {
  processes.say('Building dist/.');
  var compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  var args = [compiler, '-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', path.join('dist', '.tsbuildinfo')];
  processes.mustSucceed('The build', tools.node, args, { cwd: root, env: tools.env });
}

module.exports = { build: build, install: install };
