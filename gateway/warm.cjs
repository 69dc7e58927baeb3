/**
 * Keeps a gateway that had little to do as fast as a busy one. To be loaded before anything else, and by a process that
 * does nothing else.
 */
'use strict';

const { createHook } = require('node:async_hooks');

/**
 * V8 collects everything when a program falls quiet, to give memory back; compiled code goes with the last object of the
 * shapes it was made for, and requests have all gone by then. The next 100,000 would cost up to twice as much. Garbage is
 * still collected whenever room is needed.
 *
 * V8 stops a process in which such a collection has been begun by now ("Check failed: state.started_gcs() <=
 * MaxNumberOfGCs()"). The first comes after 8 s.
 */
require('node:v8').setFlagsFromString('--memory-reducer-gc-count=0');

/**
 * One of the objects that node makes for each `process.nextTick`. A collection at which none is there takes their shape along,
 * and from the next one on each is made the slow way for good: four times the price, several times a request.
 */
const hook = createHook({
  init(_id, _type, _trigger, resource) {
    exports.kept = resource;
  },
}).enable();
process.nextTick(() => {});
hook.disable();
