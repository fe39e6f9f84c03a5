/**
 * What a platform team has around the service: a load balancer, Prometheus, helm. The tests use the real ones. A machine that cannot have
 * one is told so, and tests with it say in their names that they are left out.
 */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');
var systemPackages = require('./system-packages.cjs');

var HELM_VERSION = 'v3.22.0';

var FROM_PACKAGES = [
  { name: 'HAProxy', programs: ['haproxy'], packages: { 'apt-get': ['haproxy'], dnf: ['haproxy'], apk: ['haproxy'], brew: ['haproxy'] } },
  { name: 'Prometheus', programs: ['promtool'], packages: { 'apt-get': ['prometheus'], dnf: ['prometheus', 'golang-github-prometheus'], apk: ['prometheus'], brew: ['prometheus'] } }
];

function install(root, tools) {
  FROM_PACKAGES.forEach(function (wanted) {
    orLeaveOut(wanted.name, function () { systemPackages.install([wanted]); });
  });
  orLeaveOut('helm', function () { provideHelm(path.join(root, '.runtime', 'bin'), tools); });
}

function orLeaveOut(name, provide) {
  try {
    provide();
  } catch (error) {
    processes.say(error.message + '\nTests with ' + name + ' are left out.');
  }
}

/** Few systems package helm; it is built of its own source where there is Go. */
function provideHelm(folder, tools) {
  if (systemPackages.findProgram('helm') || fs.existsSync(path.join(folder, 'helm'))) return;
  if (!systemPackages.findProgram('go')) throw new Error('This machine has no helm, nor Go (1.26 or later) to build it with: install one of them by hand.');
  processes.say('Building helm ' + HELM_VERSION + ' with Go into .runtime/bin/; this takes some minutes, once.');
  var env = Object.assign({}, tools.env, { GOBIN: folder, GOTOOLCHAIN: 'local' });
  processes.mustSucceed('Building helm', 'go', ['install', 'helm.sh/helm/v3/cmd/helm@' + HELM_VERSION], { env: env });
}

module.exports = { install: install };
