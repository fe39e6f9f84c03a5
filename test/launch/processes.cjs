/** Other programs: run to their end in silence, or run in our place. */
'use strict';

var childProcess = require('child_process');

var SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };
var MOST_OUTPUT = 64 * 1024 * 1024;

var sink = process.stdout;

/** For output that a program reads: only the answer goes to stdout then. */
function sayOnStderr() {
  sink = process.stderr;
}

function say(line) {
  sink.write(line + '\n');
}

/** Runs a program to its end and returns what it printed, or undefined when it failed or is not there. */
function attempt(program, args, options) {
  var result = spawnQuietly(program, args, options);
  return result.status === 0 ? String(result.stdout) : undefined;
}

/** As `attempt`, but a failure is an error that carries what the program said. */
function mustSucceed(what, program, args, options) {
  var result = spawnQuietly(program, args, options);
  if (result.status === 0) return;
  var said = [result.error && result.error.message, result.stdout, result.stderr].filter(Boolean).join('\n');
  throw new Error(what + ' failed (' + [program].concat(args).join(' ').split('\n')[0] + '):\n' + said);
}

function spawnQuietly(program, args, options) {
  var settings = { stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: MOST_OUTPUT, encoding: 'utf8' };
  return childProcess.spawnSync(program, args, Object.assign(settings, options));
}

/** Runs a program in our place: its output is ours, signals are handed on to it, and `done` gets its exit code. */
function run(program, args, options, done) {
  var child = childProcess.spawn(program, args, Object.assign({ stdio: 'inherit' }, options));
  // Ctrl-C on a terminal reaches the whole process group by itself; twice means "at once" to many programs.
  var forwarded = process.stdin.isTTY ? ['SIGTERM', 'SIGHUP'] : ['SIGTERM', 'SIGHUP', 'SIGINT'];
  forwarded.forEach(function (signal) {
    process.on(signal, function () { child.kill(signal); });
  });
  if (process.stdin.isTTY) process.on('SIGINT', function () { /* we end when the child has */ });
  child.on('error', function (error) {
    process.stderr.write(program + ' cannot be run: ' + error.message + '\n');
    done(1);
  });
  child.on('exit', function (code, signal) {
    done(code === null ? 128 + (SIGNAL_NUMBERS[signal] || 0) : code);
  });
}

module.exports = { attempt: attempt, mustSucceed: mustSucceed, run: run, say: say, sayOnStderr: sayOnStderr };
