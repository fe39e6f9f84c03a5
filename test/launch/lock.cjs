/** One launch prepares at a time: two `npm ci` in one folder destroy each other's work. */
'use strict';

var fs = require('fs');
var path = require('path');
var processes = require('./processes.cjs');

var LOOK_AGAIN_MS = 300;
/** Between creating the file and writing its process id lies a moment. */
var UNSIGNED_FOR_MS = 10000;

function whileHolding(folder, work) {
  if (!fs.existsSync(folder)) makeFolder(folder);
  var file = path.join(folder, 'launch.lock');
  acquire(file);
  try {
    return work();
  } finally {
    fs.unlinkSync(file);
  }
}

function makeFolder(folder) {
  try {
    fs.mkdirSync(folder);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
}

function acquire(file) {
  var told = false;
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (isAbandoned(file)) {
      remove(file);
    } else {
      if (!told) processes.say('Waiting for another launch in this folder to finish its preparation.');
      told = true;
      processes.attempt(process.execPath, ['-e', 'setTimeout(function () {}, ' + LOOK_AGAIN_MS + ')']);
    }
  }
}

function isAbandoned(file) {
  try {
    var holder = Number(fs.readFileSync(file, 'utf8'));
    if (holder > 0) return !isAlive(holder);
    return Date.now() - fs.statSync(file).mtime.getTime() > UNSIGNED_FOR_MS;
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function remove(file) {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
}

module.exports = { whileHolding: whileHolding };
