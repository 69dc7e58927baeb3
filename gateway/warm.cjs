/**
 * Keeps a gateway that had little to do as fast as a busy one. V8 collects everything when a program falls quiet, to give
 * memory back; compiled code goes with the last object of the shapes it was made for, and requests have all gone by
 * then. The next 100,000 would cost up to twice as much. Garbage is still collected whenever room is needed.
 *
 * To be loaded before anything else, and by a process that does nothing else: V8 stops a process in which such a collection
 * has been begun by then ("Check failed: state.started_gcs() <= MaxNumberOfGCs()"). The first comes after 8 s.
 */
'use strict';

require('node:v8').setFlagsFromString('--memory-reducer-gc-count=0');
