/**
 * What `npm test`, `npm run demo` and the other scripts of package.json start. It makes a bare machine ready (Node 24,
 * dependencies, MariaDB and Redis, dist/; for the tests HAProxy, Prometheus and helm as well), saying what it installs,
 * and then runs what was asked for.
 *
 *   node test/launch/launch.cjs demo|test|bench|chaos|outages|takeover [arguments]
 *   node test/launch/launch.cjs prepare [--node-path]    only makes ready; prints where Node 24 is
 *
 * The files of this folder that end in .cjs are read by the Node the machine happens to have, 8 or older: ES5 only.
 */
'use strict';

var path = require('path');
var dependencies = require('./dependencies.cjs');
var lock = require('./lock.cjs');
var nodeRuntime = require('./node-runtime.cjs');
var platformTools = require('./platform-tools.cjs');
var processes = require('./processes.cjs');
var stores = require('./stores.cjs');
var testRun = require('./test-run.cjs');

var ROOT = path.resolve(__dirname, '..', '..');

var VERBS = {
  demo: function (tools, args, done) { runScript('the demo', tools, ['test/demo/demo.ts'].concat(args), done); },
  bench: function (tools, args, done) { runScript('the benchmark', tools, ['bench/read-path.ts'].concat(args), done); },
  chaos: function (tools, args, done) { runScript('the faults', tools, ['test/chaos/chaos.ts'].concat(args), done); },
  outages: function (tools, args, done) { runScript('the outages', tools, ['test/outages/outages.ts'].concat(args), done); },
  takeover: function (tools, args, done) { runScript('the takeovers', tools, ['test/takeover/takeover.ts'].concat(args), done); },
  test: function (tools, args, done) { testRun.start(ROOT, tools, args, done); },
  prepare: function (tools, args, done) {
    if (args.indexOf('--node-path') >= 0) process.stdout.write(tools.node + '\n');
    done(0);
  }
};

function main(verb, args) {
  if (!Object.prototype.hasOwnProperty.call(VERBS, verb)) {
    process.stderr.write('usage: node test/launch/launch.cjs ' + Object.keys(VERBS).join('|') + ' [arguments]\n');
    process.exit(2);
  }
  if (verb === 'prepare') processes.sayOnStderr();
  var tools;
  try {
    tools = prepare(verb);
  } catch (error) {
    process.stderr.write(error.message + '\n');
    if (verb === 'test') process.stdout.write(testRun.NOTHING_RAN + '\n');
    process.exit(1);
  }
  VERBS[verb](tools, args, function (code) { process.exit(code); });
}

function prepare(verb) {
  return lock.whileHolding(path.join(ROOT, '.runtime'), function () {
    var tools = nodeRuntime.provide(ROOT);
    dependencies.install(ROOT, tools);
    stores.install();
    if (verb === 'test' || verb === 'prepare') platformTools.install(ROOT, tools);
    dependencies.build(ROOT, tools);
    return tools;
  });
}

function runScript(what, tools, args, done) {
  processes.say('Starting ' + what + '.');
  processes.run(tools.node, args, { cwd: ROOT, env: tools.env }, done);
}

main(process.argv[2], process.argv.slice(3));
