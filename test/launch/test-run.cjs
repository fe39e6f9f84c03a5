/** The tests, closed by one line: `N passed, N failed, N skipped`. */
'use strict';

var fs = require('fs');
var os = require('os');
var path = require('path');
var processes = require('./processes.cjs');

var NOTHING_RAN = '0 passed, 1 failed, 0 skipped';
var LINE = /^(\d+) passed, (\d+) failed, (\d+) skipped$/;

/** The reporter writes the line to a file and it is printed here, so that nothing can come after it. */
function start(root, tools, args, done) {
  processes.say('Starting the tests.');
  var folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tps-summary-'));
  var file = path.join(folder, 'summary');
  var env = Object.assign({}, tools.env, { TEST_SUMMARY_FILE: file });
  var vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  processes.run(tools.node, [vitest, 'run'].concat(args), { cwd: root, env: env }, function (code) {
    var line = closingLine(file, code);
    fs.existsSync(file) && fs.unlinkSync(file);
    fs.rmdirSync(folder);
    process.stdout.write(line + '\n');
    done(code !== 0 || LINE.exec(line)[2] === '0' ? code : 1);
  });
}

/** Failed tests and the exit code never contradict each other. */
function closingLine(file, code) {
  var line = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  var counts = LINE.exec(line);
  if (!counts) return NOTHING_RAN;
  return code !== 0 && counts[2] === '0' ? counts[1] + ' passed, 1 failed, ' + counts[3] + ' skipped' : line;
}

module.exports = { NOTHING_RAN: NOTHING_RAN, start: start };
